import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import {
  ClassifierStep,
  type GlobalState,
  type LLMProvider,
  Pipeline,
  type PipelineOptions,
  type RunReport,
} from "../../src/index.ts";
import type { ColumnValues, Sink } from "../../src/contracts/sink.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Note {
  readonly id: string;
  readonly text: string;
}

interface Given extends Partial<PipelineOptions<Note>> {
  readonly goodFrom?: number;
  readonly count?: number;
  readonly preserveOrder?: boolean;
  /** A sink that has each row first. */
  readonly before?: Sink<{ readonly pk: string }>;
  /** A sink's own reason to reject a row. */
  readonly reject?: (values: ColumnValues) => string | undefined;
  readonly sink?: Sink<{ readonly pk: string }>;
  /** Which answers are valid; by default none before the row `goodFrom`. */
  readonly isGood?: (text: string) => boolean;
  /** Holds a call up. */
  readonly wait?: (text: string, callCount: number) => Promise<void>;
}

/** Runs so many notes, of which the first ones get no valid answer. */
function pipelineOf({
  goodFrom = Infinity,
  count = 60,
  preserveOrder = false,
  isGood,
  reject,
  before,
  sink,
  wait,
  ...options
}: Given) {
  const good = isGood ?? ((text: string) => Number(/note (\d+)/.exec(text)?.[1]) >= goodFrom);
  const mock = new MockProvider({
    responses: ({ messages }) =>
      good(messages.at(-1)?.content ?? "") ? undefined : { json: { category: "none of them" } },
  });
  let callCount = 0;
  const llmProvider: LLMProvider = {
    name: "counting",
    fingerprint: mock.fingerprint,
    complete: async (request, signal) => {
      callCount += 1;
      await wait?.(request.messages.at(-1)?.content ?? "", callCount);
      return await mock.complete(request, signal);
    },
  };
  const rows = Array.from({ length: count }, (_, index) => ({ id: String(index), text: `note ${index}` }));
  const columnMap = { id: (s: { readonly pk: string }) => s.pk };
  const steps = new Pipeline<Note>({
    ...{ name: "first", source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }), llmProvider },
    ...{ journal: "off", payloadLog: "off", onRowError: "skip", concurrency: 1, flushIntervalMs: 60_000 },
    ...options,
  }).step(
    new ClassifierStep({
      name: "kind",
      taxonomy: [{ name: "Card", definition: "A lost card" }],
      inputMap: { text: (s: GlobalState<Note>) => s.raw.text },
      outputKey: "kind",
      maxRetries: 0,
    }),
  );
  const last = sink ?? new MemorySink({ columnMap, preserveOrder, reject });
  const pipeline = before === undefined ? steps.to(last) : steps.to(before, last);
  return { pipeline, callCount: () => callCount };
}

async function run(given: Given): Promise<RunReport> {
  return await pipelineOf(given).pipeline.run();
}

const figures = ({ error, skippedCount, successCount, exitCode }: RunReport): unknown => [
  error?.code ?? null,
  skippedCount,
  successCount,
  exitCode,
];

test("a run stops after 20 rows that failed after a call, where none got through", async () => {
  assert.deepEqual(figures(await run({})), ["TOO_MANY_ROW_ERRORS", 20, 0, 3]);
  assert.deepEqual(figures(await run({ count: 19 })), [null, 19, 0, 1]);
  assert.deepEqual(figures(await run({ goodFrom: 19, concurrency: 1 })), [null, 19, 41, 1]);
});

test("a row that is done and waits in its batch is written before, and lets the run go on", async () => {
  for (const preserveOrder of [false, true]) {
    const isGood = (text: string): boolean => text.includes("note 0\n") || text.includes("note 0<");
    const report = await run({ isGood, preserveOrder });
    assert.deepEqual(figures(report), [null, 59, 1, 1], `preserveOrder: ${preserveOrder}`);
  }
});

test("a row that is done and waits for a slow one before it lets the run go on", async () => {
  const first = new MemorySink({ identity: "first", columnMap: { id: (s: { readonly pk: string }) => s.pk } });
  for (const given of [{}, { before: first }]) {
    const after30 = Promise.withResolvers<void>();
    const report = await run({
      isGood: (text) => /note 2\b/.test(text),
      wait: async (text, callCount) => {
        if (callCount === 30) after30.resolve();
        if (/note 1\b/.test(text)) await after30.promise;
      },
      ...{ preserveOrder: true, concurrency: 2, ...given },
    });
    assert.deepEqual(figures(report), [null, 59, 1, 1]);
  }
});

test("never goes on, and a number means what it says", async () => {
  assert.deepEqual(figures(await run({ maxRowErrors: "never" })), [null, 60, 0, 1]);
  assert.deepEqual(figures(await run({ maxRowErrors: 30 })), ["TOO_MANY_ROW_ERRORS", 30, 0, 3]);
  assert.deepEqual(figures(await pipelineOf({}).pipeline.run({ maxRowErrors: "never" })), [null, 60, 0, 1]);
});

test("rows that fail without a call are not counted", async () => {
  const rows = Array.from({ length: 60 }, (_, index) => ({ id: String(index), text: " " }));
  const source = new MemorySource<Note>({ rows, primaryKeyColumn: "id" });
  assert.deepEqual(figures(await run({ source })), [null, 60, 0, 1]);
});

test("rows that failed in their last run are not counted: they never block those behind them", async () => {
  const journal = new SQLiteJournal({ path: join(temporaryFolder(), "journal.db") });
  assert.deepEqual(figures(await run({ journal })), ["TOO_MANY_ROW_ERRORS", 20, 0, 3]);
  assert.deepEqual(figures(await run({ journal })), ["TOO_MANY_ROW_ERRORS", 40, 0, 3]);
  assert.deepEqual(figures(await run({ journal, count: 50 })), [null, 50, 0, 1]);
});

test("without a journal the dead letters tell which rows failed in their last run", async () => {
  const deadLetterPath = join(temporaryFolder(), "failed.jsonl");
  const failures = async (count = 60): Promise<unknown> => {
    const { error, failureCount } = await run({ deadLetterPath, onRowError: "dead_letter", count });
    return [error?.code ?? null, failureCount];
  };
  assert.deepEqual(await failures(), ["TOO_MANY_ROW_ERRORS", 20]);
  assert.deepEqual(await failures(), ["TOO_MANY_ROW_ERRORS", 40]);
  assert.deepEqual(await failures(50), [null, 50]);
});

test("rows that the sink rejects are counted, and nothing waits for itself", async () => {
  for (const batchSize of [1, 5]) {
    const report = await run({ goodFrom: 0, batchSize, reject: () => "no" });
    const { error, skippedCount, successCount } = report;
    assert.deepEqual([error?.code, successCount], ["TOO_MANY_ROW_ERRORS", 0]);
    assert.ok(skippedCount >= 20 && skippedCount < 60, String(skippedCount));
  }
  const last = await run({
    goodFrom: 0,
    reject: (values) => (values["id"] === "19" ? undefined : "no"),
    batchSize: 20,
  });
  assert.deepEqual(figures(last), [null, 59, 1, 1]);
});

test("a replay, whose rows have all failed before, goes on", async () => {
  const folder = temporaryFolder();
  const databasePath = join(folder, "target.db");
  const database = new DatabaseSync(databasePath);
  database.exec("CREATE TABLE t (id TEXT PRIMARY KEY)");
  database.close();
  const journal = new SQLiteJournal({ path: join(folder, "journal.db") });
  const sink = new SQLiteSink({
    databasePath,
    targetTable: "t",
    mergeKeys: ["id"],
    columnMap: { id: (s: { readonly pk: string }) => s.pk },
  });
  const deadLetterPath = join(folder, "failed.jsonl");
  const { pipeline } = pipelineOf({ journal, sink, deadLetterPath, onRowError: "dead_letter", count: 30 });
  assert.equal((await pipeline.run({ maxRowErrors: "never" })).failureCount, 30);
  const report = await pipeline.replay();
  assert.deepEqual([report.error, report.failureCount, report.remainingCount], [null, 30, 30]);
});

test("a preview goes on", async () => {
  const { pipeline } = pipelineOf({});
  assert.deepEqual((await pipeline.preview({ rows: 30 })).rows.length, 30);
});
