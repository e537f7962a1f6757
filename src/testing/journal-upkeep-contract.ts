import { deepEqual, equal, rejects } from "node:assert/strict";
import type { JournalReader, JournalSession } from "../contracts/journal.ts";
import type { JournalContents, JournalUpkeep } from "../contracts/journal-upkeep.ts";
import { type JournalCheck, oddKeys, type OpenedJournal, pagesOf } from "./journal-check.ts";
import {
  answerOf,
  badRow,
  one,
  other,
  runAttempt,
  runRecord,
  runRow,
  timeSlice,
  valueCounts,
  writtenRow,
} from "./journal-samples.ts";

const noSignal = (): AbortSignal => new AbortController().signal;

type Prepare = (session: JournalSession) => Promise<void>;
type Check = (
  upkeep: JournalSession & JournalUpkeep,
  look: JournalReader & { readonly contents: JournalContents },
) => Promise<void>;

/** Does `check` with a session that has the journal alone, and a look at all that it holds. */
function upkept(prepare: Prepare, check: Check): JournalCheck {
  return async ({ journal, open, read }) => {
    if (journal.upkeep === undefined) return;
    const session = await open();
    await prepare(session);
    await session.close();
    const upkeep = await journal.upkeep(noSignal());
    try {
      const look = await read();
      const { contents } = look;
      if (contents === undefined) throw new Error("a journal with `upkeep` has readers with `contents`");
      await check(upkeep, { ...look, contents });
    } finally {
      await upkeep.close();
    }
  };
}

const listsContents = upkept(
  async ({ answers, rows }) => {
    await answers.save(one, answerOf("a", "run-1"));
    await answers.save(other, { ...answerOf("b", "run-2"), model: "m" });
    await answers.save(other, { ...answerOf("c", "run-3"), model: "m" });
    await rows.saveWritten("sink", [writtenRow("1"), { ...writtenRow("2"), fingerprints: null }]);
    await rows.saveFailed("sink", [badRow(3)]);
    await answers.saveUsed("another", [{ pk: "1", fingerprints: [one] }]);
  },
  async (_, { contents }) => {
    const counts = await contents.answerCounts();
    const current = counts.filter(({ runId }) => runId !== "run-2"); // an answer that was replaced may be there yet
    deepEqual(
      current.toSorted((a, b) => a.runId.localeCompare(b.runId)),
      [
        { runId: "run-1", model: "gpt-4o", count: 1 },
        { runId: "run-3", model: "m", count: 1 },
      ],
    );
    const listed = (await pagesOf(contents.answers, 1)).flat().toSorted((a, b) => a.runId.localeCompare(b.runId));
    deepEqual(listed, [
      { fingerprint: one, runId: "run-1" },
      { fingerprint: other, runId: "run-3" },
    ]);
    const [sink, another] = [contents.sinkKey("sink"), contents.sinkKey("another")];
    const rowCounts = (await contents.rowCounts()).map((each) => `${each.sinkKey} ${each.outcome} ${each.count}`);
    deepEqual(rowCounts.toSorted(), [`${another} known 1`, `${sink} failed 1`, `${sink} written 2`].toSorted());
    const uses = (await pagesOf(async (request) => await contents.uses(sink, request), 2)).flat();
    deepEqual(
      uses.toSorted((a, b) => a.pk.localeCompare(b.pk)),
      [
        { pk: "1", outcome: "written", runId: "run-1", fingerprints: [other, one] },
        { pk: "2", outcome: "written", runId: "run-1", fingerprints: null },
        { pk: "3", outcome: "failed", runId: "run-1", fingerprints: null },
      ],
    );
    deepEqual(
      (await contents.uses(another, { limit: 5 })).items.map(({ pk, fingerprints }) => [pk, fingerprints]),
      [["1", [one]]],
    );
    const size = await contents.size();
    equal(size === null || size > 0, true);
  },
);

const removesRows = upkept(
  async ({ rows }) => {
    await rows.saveWritten(
      "sink",
      oddKeys.map((pk) => writtenRow(pk)),
    );
    await rows.saveWritten(
      "another",
      oddKeys.slice(1, 2).map((pk) => writtenRow(pk)),
    );
  },
  async ({ remove }, { contents, rows }) => {
    const sink = contents.sinkKey("sink");
    const listed = (await pagesOf(async (request) => await contents.uses(sink, request), 3)).flat();
    deepEqual(listed.map(({ pk }) => pk).toSorted(), oddKeys.toSorted());
    await remove.rows(sink, oddKeys.slice(1));
    deepEqual([...(await rows.find("sink", oddKeys)).keys()], oddKeys.slice(0, 1));
    equal((await rows.find("another", oddKeys)).size, 1);
  },
);

const attempts = Array.from({ length: 7 }, (_, index) => runAttempt({ pk: `${index % 3}`, waitMs: index }));
const listsAttempts = upkept(
  async ({ runs }) => {
    await runs.save(runRecord("run-1"));
    await runs.saveAttempts("run-1", attempts);
    await runs.saveAttempts("run-2", [runAttempt()]);
  },
  async (_, { contents }) => {
    const listed = (await pagesOf(async (request) => await contents.attempts("run-1", request), 2)).flat();
    const sorted = (list: typeof attempts) => list.toSorted((a, b) => a.waitMs - b.waitMs);
    deepEqual(sorted(listed), attempts);
    for (const pk of ["0", "1", "2"]) {
      const ofRow = listed.filter((each) => each.pk === pk);
      deepEqual(ofRow, sorted(ofRow), "those for one row are in their order");
    }
  },
);

const fingerprints = Array.from({ length: 50 }, (_, index) => (index * 7919).toString(16).padStart(64, "0"));
const pks = fingerprints.map((_, index) => `${index}`);
const pagesWhileRemoving = upkept(
  async ({ answers, rows }) => {
    await Promise.all(fingerprints.map(async (each) => await answers.save(each, answerOf(each))));
    await rows.saveWritten(
      "sink",
      pks.map((pk) => writtenRow(pk)),
    );
  },
  async ({ answers, remove }, { contents }) => {
    const seen: string[] = [];
    await pagesOf(async (request) => {
      const page = await contents.answers(request);
      seen.push(...page.items.map(({ fingerprint }) => fingerprint));
      await answers.forget(page.items.map(({ fingerprint }) => fingerprint));
      return page;
    }, 7);
    deepEqual(seen.toSorted(), fingerprints.toSorted());
    deepEqual(await contents.answers({ limit: 1 }), { items: [], next: null });
    const sink = contents.sinkKey("sink");
    let count = 0;
    await pagesOf(async (request) => {
      const page = await contents.uses(sink, request);
      count += page.items.length;
      await remove.rows(
        sink,
        page.items.map(({ pk }) => pk),
      );
      return page;
    }, 7);
    equal(count, pks.length);
    deepEqual(await contents.rowCounts(), []);
  },
);

async function excludesRuns({ journal, open }: OpenedJournal): Promise<void> {
  if (journal.upkeep === undefined) return;
  const session = await open("run-1");
  await rejects(journal.upkeep(noSignal()), { code: "JOURNAL_IN_USE" });
  await session.close();
  const upkeep = await journal.upkeep(noSignal());
  await rejects(open("run-2"), { code: "JOURNAL_IN_USE" });
  await rejects(open("run-3", { pipeline: "another" }), { code: "JOURNAL_IN_USE" });
  await rejects(journal.upkeep(noSignal()), { code: "JOURNAL_IN_USE" });
  await upkeep.close();
  await (await open("run-4")).close();
}

async function saveRun({ runs, rows }: JournalSession, runId: string): Promise<void> {
  await runs.saveRows(runId, [runRow(1), runRow(2)]);
  await runs.saveAttempts(runId, [runAttempt()]);
  await runs.saveTimeline(runId, [timeSlice(1)]);
  await runs.saveValues(runId, [valueCounts("kind.category")]);
  await rows.saveFailed("sink", [badRow(3, { runId })]);
  await runs.save(runRecord(runId));
}

async function partsOf({ runs }: JournalReader, runId: string): Promise<readonly number[]> {
  const request = { limit: 10 };
  const parts = await Promise.all([
    runs.rows(runId, request),
    runs.attempts(runId, "1", request),
    runs.timeline(runId, request),
    runs.values(runId, request),
    runs.failures(runId, request),
    runs.list({ idPrefix: runId, ...request }),
  ]);
  return parts.map(({ items }) => items.length);
}

const removesRuns = upkept(
  async (session) => {
    await saveRun(session, "run-1");
    await saveRun(session, "run-2");
  },
  async ({ remove }, look) => {
    while (!(await remove.partOfRun("run-1")));
    deepEqual(await partsOf(look, "run-1"), [0, 0, 0, 0, 0, 0]);
    deepEqual(await partsOf(look, "run-2"), [2, 1, 1, 1, 1, 1]);
    equal(await remove.partOfRun("run-1"), true, "of one that is not there nothing is left");
    equal((await look.rows.find("sink", ["3"])).size, 1, "rows are no part of a run");
  },
);

const addsFailures = upkept(
  async ({ rows }) => await rows.saveWritten("sink", [writtenRow("1"), writtenRow("2")]),
  async ({ add }, { runs, rows, answers }) => {
    await add.failures([badRow(1), badRow(2, { pk: null })]);
    await add.failedRows("sink", [{ pk: "2", runId: "run-1", errorCode: "TIMEOUT" }]);
    deepEqual((await runs.failures("run-1", { limit: 5 })).items, [badRow(1), badRow(2, { pk: null })]);
    const found = await rows.find("sink", ["1", "2"]);
    equal(found.get("1")?.outcome, "written");
    deepEqual(found.get("2"), { outcome: "failed", pk: "2", runId: "run-1", errorCode: "TIMEOUT" });
    deepEqual((await answers.findUsed("sink", ["2"])).get("2"), [other, one], "what it used stays known");
  },
);

const times = { createdAt: new Date(0), updatedAt: new Date(0), facts: {} };
const names = { pipeline: "visits", provider: "azure", fileHash: one, fileId: null, batchId: null };
const removesWork = upkept(
  async ({ work, evaluations }) => {
    for (const id of ["a", "b"]) await work.save({ id, state: "submitted", ...names, ...times });
    await work.addFingerprints("a", [one]);
    await work.addFingerprints("b", [other]);
    for (const id of ["1", "2"])
      await evaluations.save({ id, pipeline: "visits", startedAt: new Date(0), findings: "{}" });
  },
  async ({ remove, work }, look) => {
    await remove.work("a");
    deepEqual(
      (await look.work.list({ limit: 5 })).items.map(({ id }) => id),
      ["b"],
    );
    deepEqual(Object.fromEntries(await work.find([one, other])), { [other]: "b" });
    await remove.evaluations(["1"]);
    deepEqual(
      (await look.evaluations.list({ limit: 5 })).items.map(({ id }) => id),
      ["2"],
    );
  },
);

const reclaims = upkept(
  async ({ answers, rows }) => {
    await answers.save(one, answerOf("x".repeat(100_000)));
    await answers.save(other, answerOf("older"));
    await answers.save(other, answerOf("newer"));
    await rows.saveWritten("sink", [writtenRow("1")]);
  },
  async ({ reclaim, answers, rows }) => {
    await answers.forget([one]);
    await reclaim?.(noSignal());
    equal((await answers.find([one, other])).get(other)?.text, "newer");
    equal((await answers.find([one])).size, 0);
    equal((await rows.find("sink", ["1"])).size, 1);
    await answers.save(one, answerOf("anew"));
    equal((await answers.find([one])).get(one)?.text, "anew");
  },
);

/** The promises of a journal that `llm-etl journal` can look into and change. A kind may leave both out: then these checks do nothing. */
export const upkeepChecks: Readonly<Record<string, JournalCheck>> = {
  "answers and rows are counted, and listed page by page with what is needed to tell which go": listsContents,
  "rows with keys of any letters are listed once each, and removed": removesRows,
  "the attempts of a run are listed page by page": listsAttempts,
  "pages go on where they were while what was on them is removed": pagesWhileRemoving,
  "no run begins while a journal is held, of any pipeline, and it can't be held while one goes on": excludesRuns,
  "a run is removed with all that is known of it, and others are as they were": removesRuns,
  "failures are added without a word about their rows, and rows as failed without a failure": addsFailures,
  "submitted work is removed with its fingerprints, and evaluations are": removesWork,
  "a journal gives its space back, and has what was in it": reclaims,
};
