import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import type { JournalSession } from "../../src/contracts/journal.ts";
import { copyJournal, type OwnPart } from "../../src/journal-upkeep/copy.ts";
import { whileHeld, withLook } from "../../src/journal-upkeep/look.ts";
import { SQLiteJournal, type SQLiteJournalOptions } from "../../src/journals/sqlite.ts";
import {
  answerOf,
  badRow,
  runAttempt,
  runFacts,
  runningRecord,
  runRecord,
  runRow,
  timeSlice,
  valueCounts,
  writtenRow,
} from "../../src/testing/journal-samples.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;
const noSignal = (): AbortSignal => new AbortController().signal;
const print = (number: number): string => hash("sha256", `${number}`);
const own = { pipeline: "visits", sinks: ["memory"] };
const page = { limit: 100 };

function newJournal(given: Omit<SQLiteJournalOptions, "path"> = {}): SQLiteJournal {
  return new SQLiteJournal({ path: join(folder, `${(count += 1)}.db`), ...given });
}

async function filled(journal: SQLiteJournal, fill: (session: JournalSession) => Promise<void>): Promise<void> {
  const session = await journal.open(runFacts("filling"), noSignal());
  await fill(session);
  await session.close();
}

interface CopyGiven {
  readonly fromPart?: OwnPart;
  readonly toPart?: OwnPart;
  readonly signal?: AbortSignal;
}

/** Copies, and gives the numbers of what was copied by kind; kinds without any are left out. */
async function copy(from: SQLiteJournal, to: SQLiteJournal, given: CopyGiven = {}): Promise<Record<string, number>> {
  const { fromPart = own, toPart = own, signal = noSignal() } = given;
  const findings = await withLook(
    from,
    async (look) =>
      await whileHeld(
        to,
        noSignal(),
        async (upkeep) =>
          await withLook(
            to,
            async (toLook) =>
              await copyJournal({
                from: { ...look, part: fromPart },
                to: { upkeep, look: toLook, part: toPart },
                signal,
              }),
          ),
      ),
  );
  return Object.fromEntries(findings.filter(({ copied }) => copied > 0).map(({ what, copied }) => [what, copied]));
}

/** All that a look gives of what `fill` saved. */
async function contentOf(journal: SQLiteJournal, pipeline: string) {
  return await withLook(journal, async ({ answers, rows, runs, ...look }) => ({
    answers: [...(await answers.find([1, 2, 3].map(print)))].toSorted(),
    rows: [...(await rows.find("memory", ["1", "2", "3"]))].toSorted(),
    used: [...(await answers.findUsed("memory", ["1", "2", "3"]))].toSorted(),
    children: [...(await look.children.find("memory", ["1", "2", "3"]))].toSorted(),
    runs: (await runs.list(page)).items,
    failures: (await runs.failures("run-1", page)).items,
    ended: (await runs.rows("run-1", page)).items,
    attempts: (await runs.attempts("run-1", "1", page)).items,
    timeline: (await runs.timeline("run-1", page)).items,
    values: (await runs.values("run-1", page)).items,
    watermarks: (await look.watermarks.list(page)).items.filter((each) => each.pipeline === pipeline),
    decisions: (await look.overrides.list(page)).items.map((each) => each.output),
    work: (await look.work.list(page)).items.map(({ id, state }) => [id, state]),
    submitted: (await look.work.fingerprints("work", page)).items,
    evaluations: (await look.evaluations.list(page)).items,
    spent: (await look.spending.list(page)).items.filter((each) => each.pipeline === pipeline),
    reserved: (await look.spending.reservations({ pipeline, ...page })).items,
  }));
}

const savedAt = new Date("2026-01-03T00:00:00Z");

async function fill({
  answers,
  rows,
  children,
  runs,
  watermarks,
  overrides,
  work,
  evaluations,
  spending,
}: JournalSession): Promise<void> {
  await runs.saveRows("run-1", [runRow(1), runRow(2)]);
  await runs.saveAttempts("run-1", [runAttempt(), runAttempt({ waitMs: 1 })]);
  await runs.saveTimeline("run-1", [timeSlice(1), timeSlice(2)]);
  await runs.saveValues("run-1", [valueCounts("kind.category")]);
  await rows.saveFailed("memory", [badRow(1), badRow(2)]);
  await runs.save(runRecord("run-1"));
  await runs.save(runningRecord("run-2"));
  await answers.save(print(1), answerOf("the first"));
  await answers.save(print(2), answerOf("of another", "run-of-bills"));
  await rows.saveWritten("memory", [{ ...writtenRow("1"), fingerprints: [print(1), print(2)] }]);
  await answers.saveUsed("memory", [
    { pk: "2", fingerprints: [print(1)] },
    { pk: "3", fingerprints: [print(1)] },
  ]);
  await children.save("memory", [
    { pk: "1", children: ["a", "b"] },
    { pk: "2", children: ["c"] },
  ]);
  await watermarks.save({ pipeline: "visits", name: "changes", value: "{}", basis: "b", savedAt });
  const decision = { step: "kind", inputHash: "h", output: '"A"', pk: "1", reviewer: "Ann", decidedAt: savedAt };
  await overrides.save([{ pipeline: "visits", ...decision }]);
  const names = { provider: "p", fileHash: "", fileId: null, batchId: null, facts: {} };
  await work.addFingerprints("work", [print(7), print(8)]);
  const times = { createdAt: savedAt, updatedAt: savedAt };
  await work.save({ id: "work", pipeline: "visits", state: "submitted", ...names, ...times });
  await spend(spending, "visits");
  await evaluations.save({ id: "e", pipeline: "visits", startedAt: savedAt, findings: "{}" });
}

/** A call that cost 7 billionths, and one that a kill has left. */
async function spend({ reserve, settle }: JournalSession["spending"], pipeline: string): Promise<void> {
  const facts = { pipeline, runId: "run-1", currency: "USD", amount: 10n, fingerprint: print(1) };
  const wanted = ["settled", "open"].map((name) => Object.assign({ id: `${name} ${pipeline}` }, facts));
  await reserve(wanted, () => []);
  await settle([{ id: `settled ${pipeline}`, amount: 7n }]);
}

/** Of another pipeline that shares the journal. */
async function fillOther({ answers, rows, runs, watermarks, spending }: JournalSession): Promise<void> {
  await runs.save(runRecord("run-of-bills", { pipeline: "bills", sink: "bills" }));
  await answers.save(print(3), answerOf("theirs alone", "run-of-bills"));
  await rows.saveWritten("bills", [{ ...writtenRow("1"), fingerprints: [print(3)] }]);
  await watermarks.save({ pipeline: "bills", name: "changes", value: "{}", basis: "b", savedAt });
  await spend(spending, "bills");
}

const everything = {
  runs: 2,
  answers: 2,
  rows: 3,
  decisions: 1,
  "submitted work": 1,
  evaluations: 1,
  spending: 2,
  watermarks: 1,
};

test("all that a journal holds of a pipeline is in the other one, and nothing of others; again changes nothing", async () => {
  const [from, to] = [newJournal(), newJournal()];
  await filled(from, fill);
  const expected = await contentOf(from, "visits");
  await filled(from, fillOther);
  assert.deepEqual(await copy(from, to), everything);
  assert.deepEqual(await contentOf(to, "visits"), expected);
  assert.deepEqual(await copy(from, to), {});
  assert.deepEqual(await contentOf(to, "visits"), expected);
  const reader = await to.reader();
  assert.equal((await reader?.rows.find("bills", ["1"]))?.size, 0);
});

test("under another pipeline's name it goes on from watermarks, decisions and submitted work; runs keep their name", async () => {
  const [from, to] = [newJournal(), newJournal()];
  await filled(from, fill);
  await copy(from, to, { toPart: { pipeline: "renamed", sinks: ["memory"] } });
  const content = await contentOf(to, "renamed");
  assert.deepEqual([content.watermarks.length, content.spent.length, content.reserved.length], [1, 1, 1]);
  assert.deepEqual([...new Set(content.runs.map(({ pipeline }) => pipeline))], ["visits"]);
  const session = await to.open(runFacts("next"), noSignal());
  assert.equal((await session.overrides.find("renamed", "kind", ["h"])).size, 1);
  assert.equal((await session.work.list(page)).items[0]?.pipeline, "renamed");
  await session.close();
});

test("what the other journal has stays, unless it is older", async () => {
  const [from, to] = [newJournal(), newJournal()];
  await filled(from, fill);
  const later = { completedAt: new Date("2027-01-01"), runId: "later", fingerprints: [print(9)] };
  await filled(to, async ({ rows, watermarks, answers }) => {
    await rows.saveWritten("memory", [{ ...writtenRow("1"), ...later }]);
    await rows.saveFailed("memory", [badRow(2, { runId: "unknown" })]);
    await watermarks.save({
      pipeline: "visits",
      name: "changes",
      value: "{1}",
      basis: "b",
      savedAt: new Date("2027-01-01"),
    });
    await answers.save(print(1), answerOf("newer", "later"));
  });
  const { rows, watermarks, answers, ...rest } = await copy(from, to);
  assert.deepEqual([rows, watermarks, answers], [2, undefined, 1]);
  assert.equal(rest["runs"], 2);
  const reader = await to.reader();
  const found = await reader?.rows.find("memory", ["1", "2"]);
  assert.equal(found?.get("1")?.runId, "later");
  assert.equal(found?.get("2")?.runId, "run-1");
  assert.equal((await reader?.answers.find([print(1)]))?.get(print(1))?.text, "newer");
});

test("a copy that was stopped is completed by the next one, and nothing is doubled", async () => {
  const [from, whole] = [newJournal(), newJournal()];
  await filled(from, fill);
  await copy(from, whole);
  const expected = await contentOf(whole, "visits");
  for (let checks = 1; checks < 12; checks += 1) {
    const to = newJournal();
    let left = checks;
    const signal = Object.assign(new AbortController().signal, {
      throwIfAborted: () => {
        if ((left -= 1) === 0) throw new Error("stopped");
      },
    });
    await copy(from, to, { signal }).catch(() => {});
    await copy(from, to);
    assert.deepEqual(await contentOf(to, "visits"), expected, `stopped at ${checks}`);
  }
});

test("plain becomes encrypted, and encrypted with another key or plain", async () => {
  const key = (): string => randomBytes(32).toString("base64");
  const journals = [
    newJournal(),
    newJournal({ answers: "encrypted", encryptionKey: key() }),
    newJournal({ answers: "encrypted", encryptionKey: key() }),
    newJournal(),
  ] as const;
  const [first] = journals;
  await filled(first, fill);
  const expected = await contentOf(first, "visits");
  for (const [index, to] of journals.slice(1).entries()) {
    const from = journals[index];
    if (from === undefined) continue;
    assert.deepEqual(await copy(from, to), everything);
    assert.deepEqual(await contentOf(to, "visits"), expected);
  }
});
