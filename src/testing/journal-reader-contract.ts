import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { JournalReader, JournalSession, PageRequest } from "../contracts/journal.ts";
import { type JournalCheck, type OpenedJournal, pagesOf } from "./journal-check.ts";
import { answerOf, badRow, one, runningRecord, runRecord, writtenRow } from "./journal-samples.ts";

/** The promises of every journal to those who look into it, and about the run that holds it. */
export const readerChecks: Readonly<Record<string, JournalCheck>> = {
  "before the first run a look finds nothing, and makes nothing": findsNothing,
  "a run is given back as it was last saved, the newest first": showsRuns,
  "runs are found by pipeline, by start and by the beginning of their id": filtersRuns,
  "runs are given page by page, each once": pagesRuns,
  "a run that has not ended goes on while the journal is held, and was interrupted otherwise": tellsInterrupted,
  "the failures of a run are given page by page, in their order, and those of other runs are not": pagesFailures,
  "rows are found by their key, with their last outcome, and those that are written are counted": showsRows,
  "the children of rows are found by key, in the sink that is asked for": showsChildren,
  "a look sees what a session has saved, while it goes on": readsWhileWriting,
  "a second run is denied the journal until the first has closed it": deniesTheSecond,
  "what was saved outlives a process that is killed, and its hold does not": outlivesItsProcess,
};

async function findsNothing({ journal }: OpenedJournal): Promise<void> {
  const isThere = await journal.preflight?.(new AbortController().signal);
  const reader = await journal.reader();
  if (reader === undefined) return ok(isThere !== true, "what is there has a reader");
  try {
    deepEqual(await reader.runs.list({ limit: 1 }), { items: [], next: null });
    equal(await reader.holder(), undefined);
  } finally {
    await reader.close();
  }
}

async function showsRuns({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  const error = { code: "LIMIT_REACHED", message: "the run has reached maxCalls" };
  const failed = runRecord("run-1", { status: "failed", error, exitCode: 3, options: {}, steps: [] });
  await session.runs.save(runningRecord("run-1"));
  await session.runs.save(runRecord("run-2"));
  await session.runs.save(failed);
  deepEqual((await (await read()).runs.list({ limit: 10 })).items, [runRecord("run-2"), failed]);
}

async function filtersRuns({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  await session.runs.save(runRecord("abc1", { ...at(1), pipeline: "visits" }));
  await session.runs.save(runRecord("abd2", { ...at(2), pipeline: "bills" }));
  await session.runs.save(runRecord("abc3", { ...at(3), pipeline: "visits" }));
  const reader = await read();
  const idsOf = async (filter: Parameters<JournalReader["runs"]["count"]>[0]): Promise<string[]> => {
    const { items } = await reader.runs.list({ ...filter, limit: 10 });
    equal(await reader.runs.count(filter), items.length);
    return items.map(({ runId }) => runId);
  };
  deepEqual(await idsOf({}), ["abc3", "abd2", "abc1"]);
  deepEqual(await idsOf({ pipeline: "visits" }), ["abc3", "abc1"]);
  deepEqual(await idsOf({ since: at(2).startedAt }), ["abc3", "abd2"]);
  deepEqual(await idsOf({ idPrefix: "abc" }), ["abc3", "abc1"]);
  deepEqual(await idsOf({ idPrefix: "abc", pipeline: "visits", since: at(2).startedAt }), ["abc3"]);
  deepEqual(await idsOf({ pipeline: "Visits" }), []);
  deepEqual(await idsOf({ idPrefix: "%" }), []);
}

function at(hour: number): { readonly startedAt: Date } {
  return { startedAt: new Date(Date.UTC(2026, 0, 2, hour)) };
}

async function pagesRuns({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  for (const runId of ["a", "b", "c", "d"]) await session.runs.save(runRecord(runId));
  const reader = await read();
  const idsOf = async (limit: number): Promise<string[]> => {
    const pages = await pagesOf(async (request) => await reader.runs.list(request), limit);
    return pages.map((runs) => runs.map(({ runId }) => runId).join(""));
  };
  deepEqual(await idsOf(3), ["dcb", "a"]);
  deepEqual(await idsOf(2), ["dc", "ba"]);
}

async function tellsInterrupted({ open, read }: OpenedJournal): Promise<void> {
  const session = await open("alive");
  await session.runs.save(runningRecord("killed"));
  await session.runs.save(runRecord("done"));
  await session.runs.save(runningRecord("alive"));
  const reader = await read();
  const statuses = async (): Promise<string[]> =>
    (await reader.runs.list({ limit: 10 })).items.map(({ runId, status }) => `${runId} ${status}`);
  deepEqual(await statuses(), ["alive running", "done completed", "killed interrupted"]);
  const [alive] = (await reader.runs.list({ limit: 1 })).items;
  const { readCount, successCount, failureCount } = runningRecord("alive").figures;
  equal(alive?.figures.pendingCount, readCount - successCount - failureCount, "the counts add up");
  await session.close();
  deepEqual(await statuses(), ["alive interrupted", "done completed", "killed interrupted"]);
}

async function pagesFailures({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  const rows = [
    badRow(3),
    badRow(1, { pk: null, step: null, retryCount: 0, errorCode: "ROW_SCHEMA" }),
    badRow(2, { pk: "3", ownsKey: false }),
    badRow(5, { pk: "half \uD83D" }),
  ];
  await session.rows.saveFailed("sink", [badRow(9, { runId: "run-0" })]);
  for (const row of rows) await session.rows.saveFailed("sink", [row]);
  await session.rows.saveWritten("sink", [writtenRow("3")]); // its failure happened all the same
  const reader = await read();
  const ask = async (request: PageRequest) => await reader.runs.failures("run-1", request);
  deepEqual((await pagesOf(ask, 3)).flat(), rows);
  deepEqual(
    (await pagesOf(ask, 2)).map(({ length }) => length),
    [2, 2],
  );
  deepEqual(await reader.runs.failures("run-2", { limit: 2 }), { items: [], next: null });
}

async function showsRows({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  await session.rows.saveWritten("sink", [writtenRow("1"), writtenRow("2")]);
  await session.rows.saveWritten("another", [writtenRow("1")]);
  await session.rows.saveFailed("sink", [badRow(2, { runId: "run-2" })]);
  const reader = await read();
  const rows = await reader.rows.find("sink", ["1", "2", "3"]);
  deepEqual(rows.get("1"), { outcome: "written", ...writtenRow("1") });
  deepEqual(rows.get("2"), { outcome: "failed", pk: "2", runId: "run-2", errorCode: "REFUSAL" });
  deepEqual([rows.size, await reader.rows.writtenCount("sink"), await reader.rows.writtenCount("none")], [2, 1, 0]);
}

async function showsChildren({ open, read }: OpenedJournal): Promise<void> {
  const { children } = await open();
  await children.save("sink", [
    { pk: "1", children: ["a", "\uD83D half"] },
    { pk: "2", children: ["b"] },
  ]);
  await children.save("another", [{ pk: "1", children: ["c"] }]);
  const found = await (await read()).children.find("sink", ["1", "2", "3"]);
  deepEqual([found.get("1"), found.get("2"), found.get("3")], [["a", "\uD83D half"], ["b"], undefined]);
}

async function readsWhileWriting({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  const reader = await read();
  for (let pk = 1; pk <= 3; pk += 1) {
    await session.rows.find("sink", [`${pk}`]); // the session's own looks hide nothing
    await session.rows.saveWritten("sink", [writtenRow(`${pk}`)]);
    equal(await reader.rows.writtenCount("sink"), pk);
  }
  await session.runs.save(runningRecord("run-1"));
  match((await reader.holder()) ?? "", /process 42 on here/);
  await session.close();
  equal(await reader.holder(), undefined);
  equal(await reader.rows.writtenCount("sink"), 3);
}

async function deniesTheSecond({ open }: OpenedJournal): Promise<void> {
  const session = await open();
  await rejects(open("run-2"), { code: "JOURNAL_IN_USE" });
  await session.answers.save(one, answerOf("saved"));
  await session.close();
  const again: JournalSession = await open("run-2");
  equal((await again.answers.find([one])).size, 1);
}

async function outlivesItsProcess({ open, read, moduleText }: OpenedJournal): Promise<void> {
  if (moduleText === undefined) return;
  const { endedAt: _, ...run } = runningRecord("run-1");
  const source = `
    const { default: journal } = await import(${JSON.stringify(`data:text/javascript,${encodeURIComponent(moduleText)}`)});
    const run = { ...${JSON.stringify(run)}, startedAt: new Date(${run.startedAt.getTime()}) };
    const session = await journal.open(run, new AbortController().signal);
    await session.runs.save({ ...run, endedAt: null });
    await session.answers.save("${one}", ${JSON.stringify(answerOf("saved"))});
    const reservation = { id: "1", pipeline: "visits", runId: "run-1", currency: "USD", amount: 5n, fingerprint: "${one}" };
    await session.spending.reserve([reservation], () => []);
    console.log("saved");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await Promise.race([
      once(child.stdout, "data"),
      once(child, "exit").then(() => Promise.reject(new Error("the process ended before it had saved"))),
    ]);
    await rejects(open("run-2"), { code: "JOURNAL_IN_USE" });
  } finally {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  equal((await (await read()).runs.list({ limit: 1 })).items[0]?.status, "interrupted");
  const session = await open("run-2");
  deepEqual((await session.answers.find([one])).get(one), answerOf("saved"));
  equal((await session.spending.reservations({ limit: 9 })).items[0]?.amount, 5n);
}
