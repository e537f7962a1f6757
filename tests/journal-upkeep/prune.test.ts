import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import type { JournalSession, RunRecord } from "../../src/contracts/journal.ts";
import { withLook } from "../../src/journal-upkeep/look.ts";
import { prune, type PruneFinding, type PruneRequest } from "../../src/journal-upkeep/prune.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { answerOf, badRow, runFacts, runRecord, writtenRow } from "../../src/testing/journal-samples.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;
const dayMs = 86_400_000;
const now = Date.now();
const daysAgo = (days: number): Date => new Date(now - days * dayMs);
const noSignal = (): AbortSignal => new AbortController().signal;
const print = (number: number): string => hash("sha256", `${number}`);

function ranAt(runId: string, days: number, given: Partial<RunRecord> = {}): RunRecord {
  return runRecord(runId, { startedAt: daysAgo(days), endedAt: daysAgo(days), sink: "sink", ...given });
}

async function journalWith(fill: (session: JournalSession) => Promise<void>): Promise<SQLiteJournal> {
  const journal = new SQLiteJournal({ path: join(folder, `${(count += 1)}.db`) });
  const session = await journal.open(runFacts("filling"), noSignal());
  await fill(session);
  await session.close();
  return journal;
}

interface Given extends Partial<Omit<PruneRequest, "sinkKeys">> {
  readonly sinks?: readonly string[];
  readonly dry?: boolean;
}

/** What goes, and what stays and why, by kind; kinds of which the journal has none are left out. */
async function pruned(journal: SQLiteJournal, { sinks = [], dry = false, ...given }: Given = {}) {
  return await withLook(journal, async (look) => {
    const sinkKeys = sinks.map(look.contents.sinkKey);
    const request = { before: daysAgo(90), includeCurrent: false, ...given, sinkKeys };
    const upkeep = dry ? undefined : await journal.upkeep(noSignal());
    try {
      const findings = await prune({ look, upkeep, request, signal: noSignal() });
      const some = findings.filter(({ goes, stays }) => goes > 0 || Object.keys(stays).length > 0);
      return Object.fromEntries(some.map(({ what, goes, stays }: PruneFinding) => [what, { goes, ...stays }]));
    } finally {
      await upkeep?.close();
    }
  });
}

async function answersOf(journal: SQLiteJournal, numbers: readonly number[]): Promise<readonly number[]> {
  const reader = await journal.reader();
  const found = await reader?.answers.find(numbers.map(print));
  return numbers.filter((number) => found?.has(print(number)));
}

test("answers that no row uses go once they are older; those of any sink's rows, and younger ones, stay", async () => {
  const journal = await journalWith(async ({ answers, rows, runs }) => {
    await runs.save(ranAt("old", 100));
    await runs.save(ranAt("new", 10));
    for (const [number, runId] of [
      [1, "old"],
      [2, "old"],
      [3, "old"],
      [4, "new"],
      [5, "gone"],
      [6, "old"],
    ] as const)
      await answers.save(print(number), answerOf(`${number}`, runId));
    await rows.saveWritten("sink", [{ ...writtenRow("1"), fingerprints: [print(1)] }]);
    await answers.saveUsed("file", [{ pk: "1", fingerprints: [print(2)] }]);
    await rows.saveFailed("another", [badRow(1)]);
    await answers.saveUsed("another", [{ pk: "1", fingerprints: [print(6)] }]);
    await rows.saveWritten("forgotten", [{ ...writtenRow("1"), fingerprints: [print(2)] }]);
    await rows.forgetAll("forgotten");
  });
  const expected = {
    answers: { goes: 2, used: 3, younger: 1 },
    runs: { goes: 1, younger: 1 },
    rows: { goes: 0, kept: 4 },
  };
  assert.deepEqual(await pruned(journal, { dry: true }), expected);
  assert.deepEqual(await answersOf(journal, [1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6], "a dry run removes nothing");
  assert.deepEqual(await pruned(journal), expected);
  assert.deepEqual(await answersOf(journal, [1, 2, 3, 4, 5, 6]), [1, 2, 4, 6]);
  assert.deepEqual((await pruned(journal))["answers"], { goes: 0, used: 3, younger: 1 }, "again there is nothing left");
});

test("a run counts as old by when it was last seen, and one that was killed by its figures", async () => {
  const week = { figures: { ...runRecord("").figures, durationMs: 20 * dayMs } };
  const journal = await journalWith(async ({ answers, runs }) => {
    await runs.save(ranAt("long", 100, { endedAt: daysAgo(80) }));
    await runs.save(ranAt("killed", 100, { endedAt: null, status: "running", exitCode: null, ...week }));
    for (const [number, runId] of [
      [1, "long"],
      [2, "killed"],
    ] as const)
      await answers.save(print(number), answerOf("", runId));
  });
  assert.deepEqual(await pruned(journal), {
    answers: { goes: 0, younger: 2 },
    runs: { goes: 0, younger: 2 },
  });
});

test("while some row has not ended since 0.1, that version's answers and runs stay", async () => {
  const old = { version: null };
  const fill = async ({ answers, rows, runs }: JournalSession): Promise<void> => {
    await runs.save(ranAt("older", 200, old));
    await runs.save(ranAt("old", 100));
    await answers.save(print(1), answerOf("", "older"));
    await answers.save(print(2), answerOf("", "old"));
    await rows.saveWritten("sink", [
      { ...writtenRow("1"), runId: "older", fingerprints: null },
      { ...writtenRow("2"), runId: "old" },
    ]);
    await rows.saveFailed("sink", [badRow(3, { runId: "old" })]); // before its first call: it used nothing
  };
  const journal = await journalWith(fill);
  assert.deepEqual(await pruned(journal), {
    answers: { goes: 1, olderVersion: 1 },
    runs: { goes: 0, newest: 1, olderVersion: 1 },
    rows: { goes: 0, kept: 3 },
  });
  const session = await journal.open(runFacts("next"), noSignal());
  await session.answers.saveUsed("sink", [{ pk: "1", fingerprints: [] }]); // it ended, unchanged
  await session.close();
  assert.deepEqual(await pruned(journal), {
    answers: { goes: 1 },
    runs: { goes: 1, newest: 1 },
    rows: { goes: 0, kept: 3 },
  });
});

test("rows that failed in 0.1, and rows of a sink that keeps none, have not ended since, either", async () => {
  const old = { version: null };
  const failed = await journalWith(async ({ answers, rows, runs }) => {
    await runs.save(ranAt("older", 200, old));
    await runs.save(ranAt("whole", 100));
    await answers.save(print(1), answerOf("", "older"));
    await rows.saveWritten("sink", [writtenRow("1")]);
    await rows.saveFailed("sink", [badRow(3, { runId: "older" })]);
  });
  assert.deepEqual((await pruned(failed))["answers"], { goes: 0, olderVersion: 1 });
  const file =
    (isWhole: boolean) =>
    async ({ answers, runs }: JournalSession): Promise<void> => {
      await runs.save(ranAt("older", 200, old));
      await runs.save(ranAt("part", 100, { options: { limit: 5 } }));
      if (isWhole) await runs.save(ranAt("whole", 99));
      await answers.save(print(1), answerOf("", "older"));
      await answers.saveUsed("sink", [{ pk: "1", fingerprints: [print(2)] }]);
    };
  assert.deepEqual((await pruned(await journalWith(file(false))))["answers"], { goes: 0, olderVersion: 1 });
  assert.deepEqual((await pruned(await journalWith(file(true))))["answers"], { goes: 1 });
});

test("the rows of a sink that is named are forgotten, and the answers that only they used", async () => {
  const journal = await journalWith(async ({ answers, rows, runs }) => {
    await runs.save(ranAt("old", 100));
    for (const number of [1, 2]) await answers.save(print(number), answerOf("", "old"));
    await rows.saveWritten("sink", [{ ...writtenRow("1"), fingerprints: [print(1)] }]);
    await rows.saveWritten("dropped", [{ ...writtenRow("1"), fingerprints: [print(1), print(2)] }]);
  });
  assert.deepEqual(await pruned(journal, { sinks: ["dropped"] }), {
    rows: { goes: 1, kept: 1 },
    answers: { goes: 1, used: 1 },
    runs: { goes: 0, newest: 1 },
  });
  assert.deepEqual(await answersOf(journal, [1, 2]), [1]);
  const reader = await journal.reader();
  assert.equal((await reader?.rows.find("dropped", ["1"]))?.size, 0);
  assert.equal((await reader?.rows.find("sink", ["1"]))?.size, 1);
});

test("what runs go on from stays, unless it is older and was asked for", async () => {
  const savedAt = daysAgo(100);
  const work = { provider: "p", fileHash: "", fileId: null, batchId: null, facts: {}, createdAt: savedAt };
  const journal = await journalWith(async ({ answers, rows, runs, ...session }) => {
    await runs.save(ranAt("old", 100));
    await answers.save(print(1), answerOf("", "old"));
    await rows.saveWritten("sink", [{ ...writtenRow("1"), fingerprints: [print(1)] }]);
    await session.watermarks.save({ pipeline: "visits", name: "changes", value: "{}", basis: "", savedAt });
    await session.watermarks.save({ pipeline: "bills", name: "changes", value: "{}", basis: "", savedAt: daysAgo(1) });
    const decision = { pipeline: "visits", step: "kind", output: "{}", pk: "1", reviewer: null, decidedAt: savedAt };
    await session.overrides.save([{ ...decision, inputHash: "h" }]);
    await session.work.save({ id: "w", pipeline: "visits", state: "submitted", updatedAt: savedAt, ...work });
    await session.evaluations.save({ id: "e", pipeline: "visits", startedAt: savedAt, findings: "{}" });
  });
  assert.deepEqual(await pruned(journal), {
    rows: { goes: 0, kept: 1 },
    answers: { goes: 0, used: 1 },
    watermarks: { goes: 0, current: 2 },
    decisions: { goes: 0, current: 1 },
    "submitted work": { goes: 0, current: 1 },
    evaluations: { goes: 0, current: 1 },
    runs: { goes: 0, newest: 1 },
  });
  assert.deepEqual(await pruned(journal, { includeCurrent: true }), {
    rows: { goes: 0, kept: 1 },
    answers: { goes: 1 },
    watermarks: { goes: 1, younger: 1 },
    decisions: { goes: 1 },
    "submitted work": { goes: 1 },
    evaluations: { goes: 1 },
    runs: { goes: 1 },
  });
  assert.deepEqual(await pruned(journal, { includeCurrent: true }), {
    rows: { goes: 0, kept: 1 },
    watermarks: { goes: 0, younger: 1 },
  });
});

test("it stops between two transactions, and goes on from there when it is called again", async () => {
  const journal = await journalWith(async ({ answers, runs }) => {
    await runs.save(ranAt("old", 100));
    await Promise.all(
      Array.from({ length: 5_200 }, async (_, index) => await answers.save(print(index), answerOf("", "old"))),
    );
  });
  const stop = new AbortController();
  await withLook(journal, async (look) => {
    const upkeep = await journal.upkeep(noSignal());
    const forget: JournalSession["answers"]["forget"] = async (fingerprints) => {
      await upkeep.answers.forget(fingerprints);
      stop.abort(new Error("stopped"));
    };
    const stopping = { ...upkeep, answers: { ...upkeep.answers, forget } };
    const request = { before: daysAgo(90), includeCurrent: false, sinkKeys: [] };
    await assert.rejects(prune({ look, upkeep: stopping, request, signal: stop.signal }), /^Error: stopped$/);
    await upkeep.close();
    const left = (await look.contents.answerCounts())[0]?.count;
    assert.equal(left, 200);
  });
  assert.deepEqual(await pruned(journal), { answers: { goes: 200 }, runs: { goes: 1 } });
});

test("what was spent stays, and so do reservations, whatever goes: a budget counts them", async () => {
  const journal = await journalWith(async ({ runs, spending }) => {
    await runs.save(ranAt("old", 100));
    await runs.save(ranAt("newer", 95));
    const facts = { pipeline: "visits", runId: "old", currency: "USD", amount: 10n, fingerprint: print(1) };
    await spending.reserve(
      ["settled", "open"].map((id) => Object.assign({ id }, facts)),
      () => [],
    );
    await spending.settle([{ id: "settled", amount: 7n }]);
  });
  const { runs } = await pruned(journal, { before: daysAgo(-1), includeCurrent: true });
  assert.ok(Number(runs?.goes) > 0);
  const reader = await journal.reader();
  const spent = await reader?.spending.list({ limit: 9 });
  assert.deepEqual(
    spent?.items.map(({ settled }) => settled),
    [7n],
  );
  assert.equal((await reader?.spending.reservations({ limit: 9 }))?.items.length, 1);
});
