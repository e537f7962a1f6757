import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { RunOptions } from "../../src/pipeline/options.ts";
import { z } from "zod";
import {
  LLMEtlError,
  LLMOutputBase,
  type LLMProvider,
  LLMStep,
  Pipeline,
  type RunEvent,
  SummarizerStep,
  TransformStep,
} from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { readRuns } from "../support/journal-file.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Row {
  readonly id: string;
}

const folder = temporaryFolder();
let count = 0;

function pipelineWith({ rowCount = 3, journal = true, refuse = "", busyTimeoutMs = 60_000 } = {}) {
  const journalPath = join(folder, `${(count += 1)}.db`);
  const rows = Array.from({ length: rowCount }, (_, index) => ({ id: `${index}` }));
  const sink = new MemorySink({
    columnMap: { id: (s: { pk: string }) => s.pk },
    mergeKeys: ["id"],
    reject: ({ id }) => (id === refuse ? "refused" : undefined),
  });
  const pipeline = new Pipeline<Row>({
    name: "rows",
    source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    onRowError: "skip",
    batchSize: 1,
    journal: journal ? new SQLiteJournal({ path: journalPath, busyTimeoutMs }) : "off",
  })
    .step(new TransformStep({ name: "same", transform: (s) => s.pk, outputKey: "same" }))
    .to(sink);
  return { pipeline, sink, journalPath };
}

test("a run is in the journal's history: how it ended, and its figures", async () => {
  const { pipeline, journalPath } = pipelineWith({ refuse: "1" });
  const report = await pipeline.run();
  const [run] = await readRuns(journalPath);
  assert.equal(pipeline.journalPath, journalPath);
  assert.equal(run?.runId, report.runId);
  assert.deepEqual([run?.status, run?.exitCode, run?.pipeline, run?.sink], ["completed", 1, "rows", "memory"]);
  assert.deepEqual(run?.figures, {
    ...run?.figures,
    readCount: 3,
    successCount: 2,
    failuresByCode: { SINK_DATA_REFUSED: 1 },
  });
  const next = await pipeline.run();
  assert.deepEqual([next.unchangedCount, next.skippedCount], [2, 1]);
  assert.equal((await readRuns(journalPath)).length, 2);
});

test("a duplicate key fails its row, and the row that has the key stays known", async () => {
  const { sink, journalPath } = pipelineWith();
  const pipeline = new Pipeline<Row>({
    ...{ name: "rows", llmProvider: new MockProvider(), payloadLog: "off", journalPath, onRowError: "skip" },
    source: new MemorySource<Row>({ rows: [{ id: "1" }, { id: "1" }], primaryKeyColumn: "id" }),
  }).to(sink);
  await pipeline.run();
  for (const _ of [2, 3]) {
    const report = await pipeline.run();
    assert.deepEqual([report.unchangedCount, report.failuresByCode], [1, { PRIMARY_KEY_DUPLICATE: 1 }]);
  }
});

test("a second run at the same time is refused before its first row, and the first goes on", async () => {
  const journalPath = join(folder, "shared.db");
  const refusals: unknown[] = [];
  const pipelineOf = (waitFor: () => Promise<unknown>) =>
    new Pipeline<Row>({
      ...{ name: "rows", llmProvider: new MockProvider(), payloadLog: "off", journalPath },
      source: new MemorySource<Row>({ rows: [{ id: "1" }], primaryKeyColumn: "id" }),
    })
      .step(new TransformStep({ name: "waits", transform: waitFor, outputKey: "out" }))
      .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }));
  const second = pipelineOf(async () => assert.fail("a row was read"));
  const first = await pipelineOf(async () => await second.run().catch((error: unknown) => refusals.push(error))).run();
  assert.equal(first.successCount, 1);
  assert.equal(refusals.length, 1);
  const [refusal] = refusals;
  assert.ok(refusal instanceof LLMEtlError && refusal.code === "JOURNAL_IN_USE");
  assert.match(refusal.message, new RegExp(`process ${process.pid} on .*, whose run started at 2`));
});

test("a refused run is in the history with its reason", async () => {
  const { pipeline, journalPath, sink } = pipelineWith();
  await pipeline.run();
  const emptied = {
    ...sink,
    open: async () => ({ write: async () => {}, close: async () => {}, isEmpty: async () => true }),
  };
  const again = new Pipeline<Row>({
    ...{ name: "rows", llmProvider: new MockProvider(), payloadLog: "off", journalPath },
    source: new MemorySource<Row>({ rows: [{ id: "1" }], primaryKeyColumn: "id" }),
  }).to({ ...emptied, columnMap: { id: (s: { pk: string }) => s.pk } });
  await assert.rejects(again.run(), {
    code: "TARGET_MISMATCH",
    message: /is empty, but the journal .* fresh: true \(--fresh\)/s,
  });
  const [refused] = await readRuns(journalPath);
  assert.deepEqual([refused?.status, refused?.error?.code, refused?.exitCode], ["refused", "TARGET_MISMATCH", 2]);
});

test("a journal that fails in the middle stops the run, and what it wrote is written once more by the next", async () => {
  const { pipeline, sink, journalPath } = pipelineWith({ rowCount: 10, busyTimeoutMs: 200 });
  let holder: DatabaseSync | undefined;
  const onEvent = ({ type }: RunEvent): void => {
    if (type !== "batch-end" || holder !== undefined) return;
    holder = new DatabaseSync(journalPath);
    holder.exec("BEGIN IMMEDIATE");
  };
  const report = await pipeline.run({ onEvent });
  holder?.close();
  failsWith("JOURNAL_FAILED", { where: journalPath, problem: "locked" })(report.error);
  assert.equal(report.exitCode, 3);
  assert.equal(report.readCount, report.successCount + report.pendingCount);
  const next = await pipeline.run();
  assert.equal(next.successCount, 10);
  assert.equal(sink.rows.length, 10);
});

test("without a journal nothing is kept: each run does everything", async () => {
  const { pipeline, sink, journalPath } = pipelineWith({ journal: false });
  assert.equal(pipeline.journalPath, null);
  await pipeline.run();
  const report = await pipeline.run();
  assert.deepEqual([report.successCount, report.unchangedCount, sink.batchCount], [3, 0, 6]);
  assert.equal(existsSync(journalPath), false);
});

test("stopNowSignal ends the run without a grace period, also one that is under way", async () => {
  let started = Promise.withResolvers<void>();
  const stalled = new Pipeline<Row>({
    name: "stalled",
    source: new MemorySource<Row>({ rows: [{ id: "1" }], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    ...{ payloadLog: "off", journal: "off" },
  })
    .step({
      name: "waits",
      outputKey: "out",
      run: async (_state, { signal }) => {
        started.resolve();
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    })
    .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }));
  const signals: readonly (readonly ("signal" | "stopNowSignal")[])[] = [
    ["stopNowSignal"],
    ["signal", "stopNowSignal"],
  ];
  for (const names of signals) {
    started = Promise.withResolvers<void>();
    const controllers = { signal: new AbortController(), stopNowSignal: new AbortController() };
    const options: RunOptions = {
      ...{ signal: controllers.signal.signal, stopNowSignal: controllers.stopNowSignal.signal },
      gracePeriodMs: 3_600_000,
    };
    const running = stalled.run(options);
    await started.promise;
    for (const name of names) controllers[name].abort();
    const report = await running;
    assert.deepEqual([report.status, report.pendingCount, report.exitCode], ["aborted", 1, 3]);
  }
});

test("a table enriched in place that was loaded anew is no success: its rows are there, and empty", async () => {
  const databasePath = join(folder, "in-place.db");
  const load = (): void => {
    const database = new DatabaseSync(databasePath);
    database.exec(`DROP TABLE IF EXISTS visits; CREATE TABLE visits (id TEXT PRIMARY KEY, kind TEXT);
      INSERT INTO visits (id) VALUES ('1'), ('2'), ('3')`);
    database.close();
  };
  load();
  const rows = [{ id: "1" }, { id: "2" }, { id: "3" }];
  const pipeline = new Pipeline<Row>({
    ...{
      name: "in_place",
      llmProvider: new MockProvider(),
      payloadLog: "off",
      journalPath: join(folder, "in-place.journal"),
    },
    source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
  }).to(
    new SQLiteSink({
      ...{ databasePath, targetTable: "visits", strategy: "update", mergeKeys: ["id"] },
      columnMap: { id: (s: { pk: string }) => s.pk, kind: () => "Emergency" },
    }),
  );
  assert.equal((await pipeline.run()).successCount, 3);
  assert.equal((await pipeline.run()).unchangedCount, 3);
  load();
  const report = await pipeline.run();
  assert.deepEqual([report.status, report.error?.code], ["failed", "TARGET_MISMATCH"]);
  assert.equal((await pipeline.run({ fresh: true })).successCount, 3);
});

test("answers stay where a rule of the user's own threw: once it is mended, they are not paid for again", async () => {
  const journalPath = join(folder, "rule.db");
  const sink = new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk }, mergeKeys: ["id"] });
  const runWith = async (rule: (text: string) => boolean) =>
    await new Pipeline<Row>({
      ...{ name: "rule", llmProvider: new MockProvider(), payloadLog: "off", journalPath, onRowError: "skip" },
      source: new MemorySource<Row>({ rows: [{ id: "1" }, { id: "2" }], primaryKeyColumn: "id" }),
    })
      .step(
        new LLMStep({
          name: "reads",
          prompt: "Read.",
          schema: LLMOutputBase.extend({ text: z.string().refine(rule) }),
          inputMap: { text: (s) => s.pk },
          outputKey: "out",
        }),
      )
      .to(sink)
      .run();
  assert.equal((await runWith(() => true)).usage.calls, 2);
  const broken = await runWith(() => assert.fail("a bug"));
  assert.deepEqual([broken.usage.calls, broken.failuresByCode], [0, { STEP_FAILED: 2 }]);
  const mended = await runWith((text) => text.length > 0);
  assert.deepEqual([mended.usage.calls, mended.successCount], [0, 2]);
});

test("a response that does not keep the contract fails its row, and what others were answered is kept", async () => {
  const sound = new MockProvider();
  const llmProvider: LLMProvider = {
    name: "own",
    fingerprint: () => "own",
    complete: async (request, signal) => {
      const response = await sound.complete(request, signal);
      const isOdd = request.messages.at(-1)?.content.includes("odd") === true;
      return isOdd ? { ...response, model: 7 as unknown as string } : response; // as a JavaScript user could
    },
  };
  const pipeline = new Pipeline<Row>({
    ...{ name: "own", llmProvider, payloadLog: "off", journalPath: join(folder, "own.db"), onRowError: "skip" },
    source: new MemorySource<Row>({ rows: [{ id: "1" }, { id: "odd" }, { id: "3" }], primaryKeyColumn: "id" }),
  })
    .step(new SummarizerStep({ name: "sum", inputMap: { text: (s) => s.pk }, outputKey: "sum" }))
    .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk }, mergeKeys: ["id"] }));
  const report = await pipeline.run();
  assert.deepEqual([report.successCount, report.failuresByCode], [2, { INVALID_RESPONSE: 1 }]);
});

test("options that contradict each other are refused", () => {
  assert.throws(
    () =>
      new Pipeline<Row>({
        name: "a",
        source: new MemorySource<Row>({ rows: [], primaryKeyColumn: "id" }),
        llmProvider: new MockProvider(),
        journal: "off",
        journalPath: "a.db",
      }),
    { code: "INVALID_OPTION", message: /"journalPath": is not used with journal: "off"/ },
  );
});

test("a handler that does not keep up holds the reading up, at a thousand events; a stop ends the wait, and so does the handler", async () => {
  const waiting = Promise.withResolvers<void>();
  const stop = new AbortController();
  let started = 0;
  const onEvent = async ({ type }: RunEvent): Promise<void> => {
    if (type === "row-start") started += 1;
    await waiting.promise;
  };
  const { pipeline } = pipelineWith({ rowCount: 5000, journal: false });
  const running = pipeline.run({ onEvent, signal: stop.signal, concurrency: 4 });
  const counts = [0, -1];
  while (counts.at(-1) !== counts.at(-2) || counts.at(-1) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    counts.push(started);
  }
  assert.ok(started < 1100, `${started}`);
  stop.abort();
  const report = await running;
  assert.deepEqual([report.status, report.readCount], ["aborted", started]);

  const other = pipelineWith({ rowCount: 5000, journal: false });
  const finishing = other.pipeline.run({ onEvent, concurrency: 4 });
  waiting.resolve();
  assert.equal((await finishing).readCount, 5000);
});

test("a handler may return whatever can be awaited: it is, and where it fails the run stops", async () => {
  let sentCount = 0;
  const query = {
    // oxlint-disable-next-line unicorn/no-thenable -- libraries have queries that are sent when they are awaited
    then: (_: unknown, reject: (error: Error) => void): void => {
      sentCount += 1;
      reject(new Error("no table for events"));
    },
  };
  const onEvent = ({ type }: RunEvent): Promise<void> | undefined =>
    type === "row-start" ? (query as never) : undefined; // of a library
  const { pipeline } = pipelineWith({ rowCount: 3, journal: false });
  failsWith("EVENT_HANDLER_FAILED", { where: "onEvent" })((await pipeline.run({ onEvent })).error);
  assert.ok(sentCount > 0);
});

test("amounts have no digits that come from adding them", async () => {
  const prices = { inputPerMillion: 0.07, cachedInputPerMillion: 0.035, outputPerMillion: 0.29, currency: "USD" };
  const costs: number[] = [];
  const rows = Array.from({ length: 50 }, (_, index) => ({ id: `${index}` }));
  const report = await new Pipeline<Row>({
    name: "costs",
    source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({ prices }),
    payloadLog: "off",
    journal: "off",
  })
    .step(new SummarizerStep({ name: "sum", inputMap: { text: (s) => s.raw.id }, outputKey: "sum" }))
    .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }))
    .run({
      onEvent: (event) => {
        if (event.type === "call-end") costs.push(event.cost ?? 0);
        if (event.type === "batch-end") assert.ok(Number.isInteger(event.durationMs), `${event.durationMs}`);
        if (event.type === "call-end") assert.ok(Number.isInteger(event.latencyMs), `${event.latencyMs}`);
      },
    });
  const amounts = [...costs, report.cost?.amount ?? Number.NaN];
  assert.equal(amounts.length, 51);
  for (const amount of amounts) assert.ok(`${amount}`.length <= 14 && amount > 0, `${amount}`);
});
