import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { setImmediate, setTimeout } from "node:timers/promises";
import fc from "fast-check";
import {
  type ColumnValues,
  LLMEtlError,
  Pipeline,
  type PipelineOptions,
  ProviderError,
  RowError,
  type RunEvent,
  type RunOptions,
  type RunReport,
  type Sink,
  SinkDataError,
  type Source,
  type SourceRow,
  TransformStep,
} from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Row {
  readonly id: string;
  readonly value: number;
}

const folder = temporaryFolder();
const rowsOf = (count: number): Row[] =>
  Array.from({ length: count }, (_, index) => ({ id: `r${index + 1}`, value: index }));
const idColumn = { id: (state: { readonly pk: string }) => state.pk };

interface Setup extends Partial<Omit<PipelineOptions<Row>, "source" | "name">> {
  readonly rows?: readonly object[] | Source<Row>["read"];
  readonly transform?: (row: Row, signal: AbortSignal) => unknown;
  readonly sink?: Sink<never>;
}

/** Runs rows through one function into a sink. */
async function runRows(setup: Setup, runOptions: RunOptions = {}): Promise<RunReport> {
  const {
    rows = rowsOf(10),
    transform = (row) => row.value,
    sink = new MemorySink({ columnMap: idColumn }),
    ...options
  } = setup;
  const memory = new MemorySource<Row>({ rows: Array.isArray(rows) ? rows : [], primaryKeyColumn: "id" });
  const source: Source<Row> = { ...memory, read: typeof rows === "function" ? rows : memory.read };
  return await new Pipeline({
    name: "test",
    source,
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
    ...options,
  })
    .step(
      new TransformStep({
        name: "work",
        outputKey: "work",
        transform: (state, { signal }) => transform(state.raw, signal),
      }),
    )
    .to(sink as Sink<unknown>)
    .run(runOptions);
}

function assertAddsUp(report: RunReport): void {
  const { readCount, successCount, failureCount, skippedCount, pendingCount } = report;
  assert.equal(successCount + failureCount + skippedCount + pendingCount, readCount);
}

test("every row goes through the steps to the sink", async () => {
  const sink = new MemorySink({ columnMap: idColumn });
  const report = await runRows({ rows: rowsOf(1000), sink, batchSize: 100 });
  assert.equal(report.status, "completed");
  assert.equal(report.successCount, 1000);
  assert.equal(report.exitCode, 0);
  assert.equal(new Set(sink.rows.map(({ id }) => id)).size, 1000);
  assert.equal(sink.batchCount, 10);
});

test("at most `concurrency` rows are in flight", async () => {
  let inFlight = 0;
  let peak = 0;
  const transform = async (): Promise<void> => {
    peak = Math.max(peak, (inFlight += 1));
    await setImmediate();
    inFlight -= 1;
  };
  await runRows({ rows: rowsOf(100), concurrency: 7, transform });
  assert.equal(peak, 7);
});

test("a concurrency given at run time wins over the pipeline's", async () => {
  let inFlight = 0;
  let peak = 0;
  const transform = async (): Promise<void> => {
    peak = Math.max(peak, (inFlight += 1));
    await setImmediate();
    inFlight -= 1;
  };
  await runRows({ rows: rowsOf(20), concurrency: 7, transform }, { concurrency: 2 });
  assert.equal(peak, 2);
});

/** A sink whose writes the test controls. */
function controlledSink(write: (batch: readonly ColumnValues[]) => Promise<void>, trait: Partial<Sink<never>> = {}) {
  const closed: string[] = [];
  const sink: Sink<never> = {
    name: "controlled",
    identity: "controlled",
    keepsRows: true,
    columnMap: idColumn,
    open: async () => ({
      write: async (batch) => await write(batch.flatMap(({ rows }) => rows)),
      close: async (outcome) => void closed.push(outcome),
    }),
    ...trait,
  };
  return { sink, closed };
}

test("the sink is never written to twice at once", async () => {
  let writing = 0;
  let peak = 0;
  const { sink } = controlledSink(async () => {
    peak = Math.max(peak, (writing += 1));
    await setTimeout(1);
    writing -= 1;
  });
  const report = await runRows({ rows: rowsOf(200), batchSize: 5, concurrency: 50, sink });
  assert.equal(report.successCount, 200);
  assert.equal(peak, 1);
});

test("a sink that does not keep up holds the source back", async () => {
  let read = 0;
  let release = (): void => {};
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { sink } = controlledSink(async () => await blocked);
  const rows: Source<Row>["read"] = async function* read_() {
    for (const raw of rowsOf(10_000)) yield { position: (read += 1), raw: { ...raw } };
  };
  const running = runRows({ rows, sink, concurrency: 8, batchSize: 10 });
  for (let turn = 0; turn < 2000; turn += 1) await setImmediate();
  // One batch is being written, one is full, and each row in flight waits to be added; one more may have been pulled.
  assert.ok(read <= 10 + 10 + 8 + 1, `${read} rows were read while the sink was blocked`);
  release();
  assert.equal((await running).successCount, 10_000);
});

test("a batch that does not fill is written after the flush interval", async () => {
  let release = (): void => {};
  const written = new Promise<void>((resolve) => {
    release = resolve;
  });
  const rows: Source<Row>["read"] = async function* read() {
    yield { position: 1, raw: { id: "a", value: 1 } };
    await written; // the source goes on only when the first row is in the sink
    yield { position: 2, raw: { id: "b", value: 2 } };
  };
  const { sink } = controlledSink(async () => release());
  assert.equal((await runRows({ rows, sink, flushIntervalMs: 5 })).successCount, 2);
});

test("rows reach the sink in the order in which they finish", async () => {
  const sink = new MemorySink({ columnMap: idColumn });
  await runRows({ rows: rowsOf(3), sink, transform: async ({ value }) => await setTimeout(value === 0 ? 30 : 0) });
  assert.equal(sink.rows.at(-1)?.["id"], "r1");
});

test("a sink that asks for the source's order gets it, failed rows left out", async () => {
  const sink = new MemorySink({ columnMap: idColumn, preserveOrder: true });
  const transform = async ({ value }: Row): Promise<void> => {
    await setTimeout((value * 7) % 5);
    if (value % 10 === 3) throw new Error("no");
  };
  const report = await runRows({
    rows: rowsOf(200),
    sink,
    transform,
    concurrency: 16,
    batchSize: 7,
    onRowError: "skip",
  });
  const expected = rowsOf(200).filter(({ value }) => value % 10 !== 3);
  assert.deepEqual(
    sink.rows.map(({ id }) => id),
    expected.map(({ id }) => id),
  );
  assert.equal(report.skippedCount, 20);
});

test("a slow row holds reading back when the source's order is asked for: the buffer is bounded", async () => {
  const sink = new MemorySink({ columnMap: idColumn, preserveOrder: true });
  let started = 0;
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const transform = async ({ value }: Row): Promise<void> => {
    started += 1;
    if (value === 0) await slow;
  };
  const running = runRows({ rows: rowsOf(1000), sink, transform, concurrency: 4, batchSize: 10 });
  for (let turn = 0; turn < 500; turn += 1) await setImmediate();
  assert.equal(started, 16); // four times the concurrency
  release();
  assert.equal((await running).successCount, 1000);
  assert.deepEqual(
    sink.rows.map(({ id }) => id),
    rowsOf(1000).map(({ id }) => id),
  );
});

const bad = ({ value }: Row): number => {
  if (value === 4) throw new RowError("INPUT_TOO_LONG", "too long");
  return value;
};

test('onRowError "fail": the run stops, rows in flight finish and are written, exit code 1', async () => {
  const sink = new MemorySink({ columnMap: idColumn });
  const transform = async (row: Row): Promise<number> => {
    if (row.value !== 4) await setTimeout(5);
    return bad(row);
  };
  const report = await runRows({ rows: rowsOf(1000), sink, transform, concurrency: 8 });
  assert.equal(report.status, "failed");
  assert.equal(report.error?.code, "INPUT_TOO_LONG");
  assert.equal(report.failureCount, 1);
  assert.equal(report.exitCode, 1);
  assert.ok(report.readCount <= 10, `${report.readCount} rows were read`);
  assert.equal(report.successCount, report.readCount - 1);
  assert.equal(sink.rows.length, report.successCount);
});

test('onRowError "skip": the row is left out and counted, the others are written', async () => {
  const sink = new MemorySink({ columnMap: idColumn });
  const report = await runRows({ sink, transform: bad, onRowError: "skip" });
  assert.equal(report.status, "completed");
  assert.deepEqual([report.successCount, report.skippedCount, report.failureCount], [9, 1, 0]);
  assert.deepEqual(report.failuresByCode, { INPUT_TOO_LONG: 1 });
  assert.equal(report.exitCode, 1);
});

test('onRowError "dead_letter": the row is kept with its cause, the others are written', async () => {
  const deadLetterPath = join(folder, "dead.jsonl");
  const report = await runRows({ transform: bad, onRowError: "dead_letter", deadLetterPath });
  assert.deepEqual([report.successCount, report.failureCount], [9, 1]);
  const entry = JSON.parse(readFileSync(deadLetterPath, "utf8"));
  assert.equal(entry.pk, "r5");
  assert.equal(entry.step_name, "work");
  assert.equal(entry.error_code, "INPUT_TOO_LONG");
  assert.deepEqual(entry.raw_data, { id: "r5", value: 4 });
  assert.deepEqual(entry.partial_state, { work: null });
});

const fullDisk = existsSync("/dev/full") ? false : "there is no /dev/full on this system to stand for a full disk";

test("a dead letter file on a full disk stops the run rather than lose the row", { skip: fullDisk }, async () => {
  const report = await runRows({ transform: bad, onRowError: "dead_letter", deadLetterPath: "/dev/full" });
  assert.equal(report.status, "failed");
  assert.equal(report.error?.code, "DEAD_LETTER_FAILED");
  assert.match(report.error?.message ?? "", /\/dev\/full/);
  assert.equal(report.failureCount, 0);
  assert.ok(report.pendingCount >= 1);
  assert.equal(report.exitCode, 3);
  assertAddsUp(report);
});

test("a run-fatal error stops reading; rows in flight finish, the rest is pending", async () => {
  const transform = async ({ value }: Row): Promise<number> => {
    if (value === 3) throw new ProviderError("run", "AUTHENTICATION_FAILED", "401");
    await setTimeout(5);
    return value;
  };
  const report = await runRows({ rows: rowsOf(1000), transform, concurrency: 4, onRowError: "skip" });
  assert.equal(report.status, "failed");
  assert.equal(report.error?.code, "AUTHENTICATION_FAILED");
  assert.deepEqual([report.pendingCount, report.failureCount, report.skippedCount], [1, 0, 0]);
  assert.equal(report.exitCode, 3);
  assertAddsUp(report);
});

test("what a step throws by mistake fails its row, not the run", async () => {
  const transform = ({ value }: Row): number => {
    if (value === 4) throw new TypeError("secret text");
    return value;
  };
  const report = await runRows({ transform, onRowError: "fail" });
  assert.equal(report.error?.code, "STEP_FAILED");
  assert.match(report.error?.message ?? "", /^step "work" threw TypeError at .*engine\.test\.ts:\d+$/);
  assert.ok(report.error?.cause instanceof TypeError);
});

test("rows in flight that outlast the grace period are given up and pending; finished ones are written", async () => {
  const stop = new AbortController();
  const sink = new MemorySink({ columnMap: idColumn });
  const transform = async ({ value }: Row, signal: AbortSignal): Promise<void> => {
    if (value === 2) stop.abort();
    if (value < 2) await setTimeout(60_000, undefined, { signal });
  };
  const report = await runRows(
    { rows: rowsOf(100), sink, transform, concurrency: 3 },
    { signal: stop.signal, gracePeriodMs: 10 },
  );
  assert.equal(report.status, "aborted");
  assert.equal(report.exitCode, 3);
  assert.equal(report.pendingCount, 2);
  assert.ok(sink.rows.some(({ id }) => id === "r3"));
  assertAddsUp(report);
});

test("a signal that is aborted from the start: nothing is read", async () => {
  const report = await runRows({}, { signal: AbortSignal.abort() });
  assert.deepEqual([report.status, report.readCount, report.exitCode], ["aborted", 0, 3]);
});

test("a source that hangs does not keep an aborted run from ending", async () => {
  const rows: Source<Row>["read"] = () => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => await new Promise(() => {}),
      return: async () => await new Promise(() => {}),
    }),
  });
  const stop = new AbortController();
  const running = runRows({ rows }, { signal: stop.signal, gracePeriodMs: 5 });
  await setImmediate();
  stop.abort();
  assert.equal((await running).status, "aborted");
});

test("`limit` reads so many rows and no more", async () => {
  let pulled = 0;
  const rows: Source<Row>["read"] = async function* read() {
    for (const raw of rowsOf(100)) yield { position: (pulled += 1), raw: { ...raw } };
  };
  const report = await runRows({ rows }, { limit: 7 });
  assert.deepEqual([report.status, report.readCount, pulled], ["completed", 7, 7]);
});

test("parameters given at run time reach the source", async () => {
  let given: unknown;
  const rows: Source<Row>["read"] = async function* read({ parameters }) {
    given = parameters;
  };
  await runRows({ rows }, { parameters: { department: "Cardiology" } });
  assert.deepEqual(given, { department: "Cardiology" });
});

test("a source that breaks off: the rows before are written, the run has failed and says why", async () => {
  const sink = new MemorySink({ columnMap: idColumn });
  const rows: Source<Row>["read"] = async function* read() {
    yield { position: 1, raw: { id: "a", value: 1 } };
    throw new Error("disk gone");
  };
  const report = await runRows({ rows, sink });
  assert.equal(report.status, "failed");
  assert.equal(report.error?.code, "SOURCE_FAILED");
  assert.match(report.error?.message ?? "", /threw Error at .*engine\.test\.ts:\d+$/);
  assert.match(report.error?.detail ?? "", /disk gone/);
  assert.equal(report.exitCode, 3);
  assert.equal(sink.rows.length, 1);
});

test("a source that fails before its first row: exit code 2", async () => {
  const rows: Source<Row>["read"] = async function* read(): AsyncGenerator<SourceRow> {
    throw new Error("no such table");
  };
  assert.equal((await runRows({ rows })).exitCode, 2);
});

test("what the source says is wrong with a row is that row's error", async () => {
  const rows: Source<Row>["read"] = async function* read() {
    yield { position: 1, error: new RowError("CSV_ROW_INVALID", "row 1: ragged"), raw: ["a"] };
    yield { position: 2, raw: { id: "b", value: 2 } };
  };
  const report = await runRows({ rows, onRowError: "skip" });
  assert.deepEqual([report.successCount, report.skippedCount], [1, 1]);
});

test("a batch that the sink refuses for its data is halved until the bad rows stand alone", async () => {
  const sink = new MemorySink({
    columnMap: idColumn,
    reject: ({ id }) => (id === "r13" || id === "r77" ? "does not fit" : undefined),
  });
  const deadLetterPath = join(folder, "refused.jsonl");
  const report = await runRows({ rows: rowsOf(100), sink, batchSize: 100, onRowError: "dead_letter", deadLetterPath });
  assert.deepEqual([report.successCount, report.failureCount], [98, 2]);
  assert.equal(sink.rows.length, 98);
  const entries = readFileSync(deadLetterPath, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    entries.map(({ pk, error_code }) => [pk, error_code]),
    [
      ["r13", "SINK_DATA_REFUSED"],
      ["r77", "SINK_DATA_REFUSED"],
    ],
  );
});

test("a sink that fails half-way: written rows count, the others are pending, the sink is closed as stopped", async () => {
  let batches = 0;
  const { sink, closed } = controlledSink(async () => {
    if ((batches += 1) === 3) throw new Error("connection lost");
  });
  const report = await runRows({ rows: rowsOf(100), sink, batchSize: 10, concurrency: 10, onRowError: "skip" });
  assert.equal(report.error?.code, "SINK_FAILED");
  assert.equal(report.successCount, 20);
  assert.equal(report.pendingCount, report.readCount - 20);
  assert.deepEqual(closed, ["stopped"]);
  assert.equal(batches, 3, "a sink that failed is not written to again");
  assertAddsUp(report);
});

test("a sink that can't be closed: the run has failed", async () => {
  const { sink } = controlledSink(async () => {}, {
    open: async () => ({
      write: async () => {},
      close: async () => {
        throw new Error("rename failed");
      },
    }),
  });
  const report = await runRows({ sink });
  assert.equal(report.status, "failed");
  assert.match(report.error?.message ?? "", /threw Error at .*engine\.test\.ts:\d+$/);
  assert.match(report.error?.detail ?? "", /rename failed/);
});

test("a sink that refuses to open: the run is refused, and nothing is read", async () => {
  let reads = 0;
  const rows: Source<Row>["read"] = async function* read() {
    reads += 1;
  };
  const { sink } = controlledSink(async () => {}, {
    open: async () => {
      throw new LLMEtlError("TARGET_MISMATCH", "run", "no such table");
    },
  });
  await assert.rejects(runRows({ rows, sink }), { code: "TARGET_MISMATCH" });
  assert.equal(reads, 0);
});

test("the sink's own check makes a row error, before anything is written", async () => {
  const batches: number[] = [];
  const { sink } = controlledSink(async () => {}, {
    open: async () => ({
      check: ({ id }) => (id === "r2" ? [{ column: "id", message: "too wide", detail: "too wide: r2" }] : []),
      write: async (batch) => void batches.push(batch.length),
      close: async () => {},
    }),
  });
  const report = await runRows({ sink, onRowError: "skip" });
  assert.deepEqual(report.failuresByCode, { VALUE_DOES_NOT_FIT: 1 });
  assert.deepEqual(batches, [9]);
});

test("missing, NULL, blank and duplicate primary keys are row errors that name row and key", async () => {
  const rows = [{ id: "a" }, {}, { id: null }, { id: "  " }, { id: "a" }, { id: {} }, { id: 7 }, { id: "7" }];
  const deadLetterPath = join(folder, "keys.jsonl");
  const report = await runRows({ rows, onRowError: "dead_letter", deadLetterPath });
  assert.deepEqual(report.failuresByCode, { PRIMARY_KEY_MISSING: 4, PRIMARY_KEY_DUPLICATE: 2 });
  const entries = readFileSync(deadLetterPath, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(entries.map(({ error_message }) => error_message.replace(/;.*/, "")).toSorted(), [
    'row 2: the primary key "id" is nothing',
    'row 3: the primary key "id" is NULL',
    'row 4: the primary key "id" is blank',
    'row 5: the primary key "id" = "a" was already seen in row 1',
    'row 6: the primary key "id" is an object',
    'row 8: the primary key "id" = "7" was already seen in row 7',
  ]);
});

test("a handler of events that throws stops the run with its own error", async () => {
  const onEvent = (event: RunEvent): void => {
    if (event.type === "row-end") throw new Error("bug in the handler");
  };
  const report = await runRows({ rows: rowsOf(500), batchSize: 10 }, { onEvent, gracePeriodMs: 0 });
  assert.equal(report.error?.code, "EVENT_HANDLER_FAILED");
  assertAddsUp(report);
});

test("timers are served while a source and steps that never wait run", async () => {
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 0);
  await runRows({ rows: rowsOf(5000) });
  clearInterval(timer);
  assert.ok(ticks > 10, `the timer fired ${ticks} times`);
});

test("whatever goes wrong where, the counts add up, and the sink holds exactly the rows that count as written", async () => {
  const kinds = fc.constantFrom("good", "bad", "refused", "fatal", "slow", "duplicate", "badRow");
  const plan = fc.record({
    kinds: fc.array(fc.oneof({ weight: 8, arbitrary: fc.constant("good") }, { weight: 2, arbitrary: kinds }), {
      maxLength: 60,
    }),
    concurrency: fc.integer({ min: 1, max: 9 }),
    batchSize: fc.integer({ min: 1, max: 12 }),
    preserveOrder: fc.boolean(),
    onRowError: fc.constantFrom("fail", "skip", "dead_letter" as const),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ kinds: all, preserveOrder, ...options }) => {
      const sink = new MemorySink({
        columnMap: {
          id: (state: { pk: string; raw: { kind?: string } }) => state.pk,
          kind: (state: { pk: string; raw: { kind?: string } }) => state.raw.kind,
        },
        preserveOrder,
        reject: ({ kind }) => (kind === "refused" ? "refused" : undefined),
      });
      const rows: Source<Row>["read"] = async function* read() {
        for (const [index, kind] of all.entries()) {
          const position = index + 1;
          if (kind === "badRow") yield { position, error: new RowError("CSV_ROW_INVALID", "ragged") };
          else yield { position, raw: { id: kind === "duplicate" ? "same" : `r${position}`, kind } };
        }
      };
      const transform = async (row: Row): Promise<void> => {
        const kind = "kind" in row ? row.kind : "";
        if (kind === "slow") await setTimeout(1);
        if (kind === "bad") throw new RowError("EMPTY_INPUT", "bad");
        if (kind === "fatal") throw new ProviderError("run", "FORBIDDEN", "403");
      };
      const deadLetterPath = options.onRowError === "dead_letter" ? join(folder, "property.jsonl") : undefined;
      const report = await runRows({ rows, sink, transform, ...options, deadLetterPath });
      assertAddsUp(report);
      assert.equal(sink.rows.length, report.successCount);
      assert.notEqual(report.error?.code, "COUNTS_DO_NOT_ADD_UP");
      if (report.status === "completed") assert.equal(report.readCount, all.length);
      if (preserveOrder) {
        const positions = sink.rows.map(({ id }) =>
          id === "same" ? all.indexOf("duplicate") + 1 : Number(String(id).slice(1)),
        );
        assert.deepEqual(
          positions,
          positions.toSorted((left, right) => left - right),
        );
      }
    }),
    { numRuns: 150, seed: 20250202 },
  );
});

test("a SinkDataError about a single row is that row's error", async () => {
  const { sink } = controlledSink(async (batch) => {
    if (batch.length > 0) throw new SinkDataError("controlled", "too long");
  });
  const report = await runRows({ rows: rowsOf(8), sink, batchSize: 8, onRowError: "skip" });
  assert.equal(report.skippedCount, 8);
  assert.equal(report.status, "completed");
});

test("a sink that fails after a row stopped the run: the sink's failure is reported, and nobody counts as refused", async () => {
  let batches = 0;
  const { sink } = controlledSink(async (batch) => {
    batches += 1;
    if (batch.some(({ id }) => id === "r1")) throw new SinkDataError("controlled", "too long");
    throw new Error("disk gone");
  });
  const report = await runRows({ rows: rowsOf(30), sink, batchSize: 1, concurrency: 8, onRowError: "fail" });
  assert.equal(batches, 2);
  assert.deepEqual([report.error?.code, report.exitCode, report.failureCount], ["SINK_FAILED", 3, 1]);
  assert.deepEqual(report.failuresByCode, { SINK_DATA_REFUSED: 1 });
  assertAddsUp(report);
});

test("a step, a write and a source that listen to nothing are abandoned after an abort, and their rows are pending", async () => {
  const forever = async () => await new Promise<never>(() => {});
  const hangsAtReturn: Source<Row>["read"] = () => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: { position: 1, raw: { id: "r1", value: 1 } } }),
      return: forever,
    }),
  });
  const stopped = async (setup: Setup): Promise<RunReport> => {
    const stop = new AbortController();
    const running = runRows(setup, { signal: stop.signal, gracePeriodMs: 0 });
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    stop.abort();
    return await running;
  };
  const reports = await Promise.all([
    stopped({ rows: rowsOf(3), transform: forever }),
    stopped({ rows: rowsOf(3), transform: async ({ value }) => (value === 1 ? await forever() : value) }),
    stopped({ rows: rowsOf(3), sink: controlledSink(forever).sink, batchSize: 1 }),
    stopped({ rows: hangsAtReturn, transform: forever, concurrency: 1 }),
    runRows({ rows: hangsAtReturn }, { limit: 1, gracePeriodMs: 0 }),
  ]);
  for (const report of reports) assertAddsUp(report);
  assert.deepEqual(
    reports.map(({ status, pendingCount }) => [status, pendingCount]),
    [
      ["aborted", 3],
      ["aborted", 1],
      ["aborted", 3],
      ["aborted", 1],
      ["completed", 0],
    ],
  );
});

test("an abort while the sink is being opened ends the opening at once", async () => {
  const { sink } = controlledSink(async () => {}, {
    open: async ({ signal }) =>
      await new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const stop = new AbortController();
  const running = runRows({ sink }, { signal: stop.signal, gracePeriodMs: 60_000 });
  await setImmediate();
  stop.abort();
  assert.deepEqual([(await running).status, (await running).readCount], ["aborted", 0]);
});

test("a source that yields what is no row has failed", async () => {
  const rows = async function* read(): AsyncGenerator<SourceRow> {
    yield undefined as unknown as SourceRow;
  };
  const report = await runRows({ rows });
  assert.deepEqual([report.error?.code, report.readCount], ["SOURCE_FAILED", 0]);
});

test("a credential in the message of a source's driver does not reach the report", async () => {
  const rows = async function* read(): AsyncGenerator<SourceRow> {
    throw new Error("login failed for postgres://user:S3CRET@host/db");
  };
  const report = await runRows({ rows });
  assert.ok(!inspect(report).includes("S3CRET") && !JSON.stringify(report).includes("S3CRET"), inspect(report));
});

test("a report shows no content, neither on a terminal nor as JSON; the details can be read", async () => {
  const transform = (): never => {
    throw new Error("John Doe is ill");
  };
  const events: RunEvent[] = [];
  const report = await runRows({ transform, onRowError: "fail" }, { onEvent: (event) => void events.push(event) });
  for (const text of [inspect(report, { depth: 9 }), JSON.stringify(report), inspect(events), JSON.stringify(events)]) {
    assert.ok(!text.includes("John Doe"), text);
  }
  assert.match(inspect(report), /StepFailedError: step "work" threw Error at /);
  assert.match(report.error?.detail ?? "", /John Doe/);
});

test("a handler of events that fails later stops the run, too", async () => {
  const onEvent = async (event: RunEvent): Promise<void> => {
    await setImmediate();
    if (event.type === "row-end") throw new Error("bug in the handler");
  };
  const report = await runRows({ rows: rowsOf(5000), batchSize: 10 }, { onEvent, gracePeriodMs: 0 });
  assert.equal(report.error?.code, "EVENT_HANDLER_FAILED");
});

test("a row whose own fault is not confirmed gives its place to others, and fails with the confirmation or at the end", async () => {
  const confirm = Promise.withResolvers<void>();
  const order: string[] = [];
  const report = await runRows(
    {
      concurrency: 1,
      onRowError: "skip",
      transform: ({ id }) => {
        if (id === "r2") throw new RowError("OWN", "…").withConfirmation(confirm.promise);
        if (id === "r3") throw new RowError("OWN", "…").withConfirmation(new Promise(() => {}));
        if (id === "r5") confirm.resolve();
        return 1;
      },
    },
    {
      onEvent: (event) => void (event.type === "row-end" && event.outcome === "skipped" && order.push(event.pk ?? "")),
    },
  );
  assert.deepEqual([report.exitCode, report.successCount, report.skippedCount, report.pendingCount], [1, 8, 2, 0]);
  assert.deepEqual(order, ["r2", "r3"]);
});

test("a row whose own fault is not confirmed when the run stops is pending, and stands in no dead letter file", async () => {
  const deadLetterPath = join(folder, "unconfirmed.jsonl");
  const report = await runRows({
    concurrency: 1,
    onRowError: "dead_letter",
    deadLetterPath,
    transform: ({ id }) => {
      if (id === "r5") throw new ProviderError("run", "QUOTA_EXHAUSTED", "…");
      throw new RowError("OWN", "…").withConfirmation(new Promise(() => {}));
    },
  });
  assert.deepEqual([report.exitCode, report.readCount, report.failureCount, report.pendingCount], [3, 5, 0, 5]);
  assert.ok(!existsSync(deadLetterPath) || readFileSync(deadLetterPath, "utf8") === "");
});

test('with onRowError "fail" the first row that fails stops the run, confirmed or not', async () => {
  const report = await runRows({
    onRowError: "fail",
    concurrency: 1,
    transform: () => {
      throw new RowError("OWN", "…").withConfirmation(new Promise(() => {}));
    },
  });
  assert.deepEqual([report.exitCode, report.error?.code, report.failureCount], [1, "OWN", 1]);
});
