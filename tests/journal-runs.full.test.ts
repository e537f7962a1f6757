// Full lane: pipelines that run again and again over a journal take five seconds of CPU.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { z } from "zod";
import type { RunEvent } from "../src/contracts/events.ts";
import { TargetError } from "../src/errors/sink.ts";
import { Pipeline } from "../src/builder/pipeline.ts";
import type { PipelineOptions, RunOptions } from "../src/pipeline/options.ts";
import type { RunReport } from "../src/contracts/report.ts";
import type { GlobalState, SinkState } from "../src/engine/state.ts";
import type { SummarizerOutput } from "../src/validation/base-schemas.ts";
import { ProviderError } from "../src/llm/provider-error.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../src/contracts/provider.ts";
import { MockProvider, type MockProviderOptions } from "../src/llm/providers/mock.ts";
import type { ColumnMap, Sink } from "../src/contracts/sink.ts";
import { SQLiteSink } from "../src/sinks/sqlite.ts";
import { type ClassifierOutput, ClassifierStep, type ClassifierStepOptions } from "../src/steps/classifier.ts";
import { ExtractorStep } from "../src/steps/extractor.ts";
import { SummarizerStep, type SummarizerStepOptions } from "../src/steps/summarizer.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { readLines } from "./support/run-rows.ts";
import { execute, query } from "./support/sqlite.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

interface Note {
  readonly id: string;
  readonly note: string;
}

type Raw = GlobalState<Note>;
type Classified = GlobalState<Note, { readonly kind: ClassifierOutput }>;
type Done = SinkState<Note, { readonly kind: ClassifierOutput; readonly sum: SummarizerOutput }>;

interface Setup {
  readonly rows: readonly Note[];
  readonly provider: MockProviderOptions;
  readonly kind: Partial<ClassifierStepOptions<Raw, "kind", string>>;
  readonly sum: Partial<SummarizerStepOptions<Classified, "sum">>;
  readonly pipeline: Partial<PipelineOptions<Note>>;
  readonly sink: Sink<Done>;
  /** What the service does instead of answering. */
  readonly fail: (request: LLMRequest, callNumber: number) => Error | Partial<LLMResponse> | undefined;
}

interface Result {
  readonly report: RunReport;
  /** How often each step called, in the order of their first calls. */
  readonly calls: Readonly<Record<string, number>>;
  /** Rows that the sink wrote. */
  readonly written: number;
  readonly events: readonly RunEvent[];
}

const folder = temporaryFolder();
const taxonomy = [
  { name: "Card", definition: "A lost, stolen or blocked card", examples: ["My card is gone"] },
  { name: "Transfer", definition: "Money sent or received, a transfer" },
];
const topics = ["a stolen card", "a transfer to my brother", "some money sent by mistake"];

function notes(count: number): Note[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `n${index + 1}`,
    note: `Question ${index + 1} is about ${topics[index % topics.length]}. It can wait.`,
  }));
}

const columnMap = {
  id: (s) => s.pk,
  category: (s) => s.processed.kind.category,
  summary: (s) => s.processed.sum.text,
} satisfies ColumnMap<Done>;

/** A folder with a journal, and a target, that runs with other settings come back to. */
class Place {
  readonly folder = mkdtempSync(join(folder, "place-"));
  readonly journalPath = join(this.folder, "journal.db");
  readonly deadLetterPath = join(this.folder, "failed.jsonl");
  readonly target: MemorySink<Done, keyof typeof columnMap> = new MemorySink({ columnMap, mergeKeys: ["id"] });
  /** For rows of which only the key matters. */
  readonly out: MemorySink<{ readonly pk: string }, "id"> = new MemorySink({
    columnMap: { id: (s) => s.pk },
    mergeKeys: ["id"],
  });
  /** What the next runs begin with. */
  readonly setup: Partial<Setup>;

  constructor(setup: Partial<Setup> = {}) {
    this.setup = setup;
  }

  async run(changes: Partial<Setup> = {}, options: RunOptions = {}): Promise<Result> {
    const {
      rows = notes(12),
      provider = {},
      kind,
      sum,
      pipeline,
      sink = this.target,
      fail,
    } = {
      ...this.setup,
      ...changes,
    };
    const events: RunEvent[] = [];
    const { onEvent } = options;
    const report = await new Pipeline<Note>({
      name: "notes",
      source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
      llmProvider: withFailures(new MockProvider(provider), fail),
      journalPath: this.journalPath,
      payloadLog: "off",
      ...pipeline,
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy,
          inputMap: { text: (s) => s.raw.note },
          outputKey: "kind",
          ...kind,
        }),
      )
      .step(
        new SummarizerStep({
          name: "sum",
          inputMap: { text: (s) => s.raw.note, focus: (s) => s.processed.kind.category },
          outputKey: "sum",
          ...sum,
        }),
      )
      .to(sink)
      .run({ ...options, onEvent: (event) => (events.push(event), onEvent?.(event)) });
    return resultOf(report, events);
  }
}

/** Asks the provider, but where the service is to fail: then it takes a moment, so that others come to wait for it. */
function withFailures(provider: LLMProvider, fail: Setup["fail"] | undefined): LLMProvider {
  if (fail === undefined) return provider;
  let callCount = 0;
  const complete: LLMProvider["complete"] = async (request, signal) => {
    const failure = fail(request, (callCount += 1));
    if (failure === undefined) return await provider.complete(request, signal);
    await setTimeout(5);
    if (failure instanceof Error) throw failure;
    return { ...(await provider.complete(request, signal)), ...failure };
  };
  const { name, prices, fingerprint } = provider;
  return { name, prices, fingerprint, complete };
}

function resultOf(report: RunReport, events: readonly RunEvent[]): Result {
  const calls: Record<string, number> = {};
  for (const event of events) if (event.type === "call-start") calls[event.step] = (calls[event.step] ?? 0) + 1;
  const written = events.reduce((sum, event) => (event.type === "batch-end" ? sum + event.rowCount : sum), 0);
  return { report, calls, written, events };
}

function column(rows: readonly Readonly<Record<string, unknown>>[], name: string): ReadonlyMap<unknown, unknown> {
  return new Map(rows.map((row) => [row["id"], row[name]]));
}

function differing(one: ReadonlyMap<unknown, unknown>, other: ReadonlyMap<unknown, unknown>): number {
  return [...one].filter(([key, value]) => other.get(key) !== value).length;
}

// --- What a second run does ------------------------------------------------------------------------------------------

test("a second run over unchanged data makes no call and writes nothing", async () => {
  const place = new Place();
  const first = await place.run();
  assert.deepEqual([first.calls, first.written], [{ kind: 12, sum: 12 }, 12]);
  const { batchCount } = place.target;
  const { report, calls, written, events } = await place.run();
  assert.deepEqual([calls, written, report.unchangedCount, report.successCount], [{}, 0, 12, 12]);
  assert.deepEqual([report.status, report.exitCode, place.target.batchCount], ["completed", 0, batchCount]);
  assert.equal(report.usage.reusedAnswers, 24);
  assert.equal(report.usage.savedInputTokens, first.report.usage.inputTokens);
  assert.equal(report.usage.savedOutputTokens, first.report.usage.outputTokens);
  assert.equal(events.filter(({ type }) => type === "answer-reuse").length, 24);
});

test("after a change of one row in a hundred exactly those rows are asked about and written", async () => {
  const rows = notes(1000);
  const place = new Place({ rows });
  await place.run();
  const changed = rows.map((row, index) => (index % 100 === 7 ? { ...row, note: `Again: ${row.note}` } : row));
  const { report, calls, written } = await place.run({ rows: changed });
  assert.deepEqual([calls, written, report.unchangedCount], [{ kind: 10, sum: 10 }, 10, 990]);
});

test("a row that is new is asked about, and one that is gone is left alone", async () => {
  const place = new Place();
  await place.run();
  const { report, calls, written } = await place.run({ rows: notes(14).slice(3) });
  assert.deepEqual([calls, written, report.unchangedCount], [{ kind: 2, sum: 2 }, 2, 9]);
  assert.equal(place.target.rows.length, 14);
});

test("rows that are put in another order are the same rows", async () => {
  const place = new Place();
  await place.run();
  const { calls, written } = await place.run({ rows: notes(12).toReversed() });
  assert.deepEqual([calls, written], [{}, 0]);
});

test("1,000 rows with 100 different texts make exactly 100 calls of each step", async () => {
  const texts = notes(100).map(({ note }) => note);
  const rows = Array.from({ length: 1000 }, (_, index) => ({ id: `r${index}`, note: texts[index % 100] ?? "" }));
  const place = new Place({ rows });
  const { report, calls, written } = await place.run();
  assert.deepEqual([calls, written], [{ kind: 100, sum: 100 }, 1000]);
  assert.equal(report.usage.reusedAnswers, 2 * 900);
  const second = await place.run();
  assert.deepEqual([second.calls, second.written, second.report.unchangedCount], [{}, 0, 1000]);
});

test("cache: false asks the model again, once for equal requests, and the run after it reuses those answers", async () => {
  const rows = [...notes(6), { id: "twin", note: notes(1)[0]?.note ?? "" }];
  const place = new Place({ rows });
  assert.deepEqual((await place.run()).calls, { kind: 6, sum: 6 });
  const again = await place.run({}, { cache: false });
  assert.deepEqual([again.calls, again.written], [{ kind: 6, sum: 6 }, 0]);
  assert.deepEqual((await place.run()).calls, {});
});

test("with the journal off each run asks about and writes every row", async () => {
  const pipeline = { journal: "off", journalPath: undefined } as const;
  const place = new Place({ pipeline, rows: notes(3) });
  for (let run = 0; run < 2; run += 1) {
    const { calls, written } = await place.run();
    assert.deepEqual([calls, written], [{ kind: 3, sum: 3 }, 3]);
  }
});

// --- What is asked again after which change --------------------------------------------------------------------------

test("a definition that moves rows to another category asks the first step about all, the second about those", async () => {
  const place = new Place({ rows: notes(30) });
  await place.run();
  const before = column(place.target.rows, "category");
  const [card, transfer] = taxonomy;
  assert.ok(card !== undefined && transfer !== undefined);
  const moved = [{ ...card, definition: "A card, or money sent by mistake to some stranger" }, transfer];
  const { calls, written, report } = await place.run({ kind: { taxonomy: moved } });
  const movedRows = differing(before, column(place.target.rows, "category"));
  assert.ok(movedRows > 0 && movedRows < 30, `${movedRows} rows moved`);
  assert.deepEqual([calls, written, report.unchangedCount], [{ kind: 30, sum: movedRows }, movedRows, 30 - movedRows]);
});

let tone = "brief";
const context = (state: Raw): string => `Answer in a ${tone} way: ${state.pk.slice(0, 1)}`;

/** One change, and how many calls each step makes for it, of 12 rows. */
const askedAgain: Readonly<Record<string, readonly [Partial<Setup>, Readonly<Record<string, number>>]>> = {
  "the first step's instructions": [{ kind: { instructions: "Be strict." } }, { kind: 12 }],
  "the second step's instructions": [{ sum: { instructions: "Be brief." } }, { sum: 12 }],
  "a category's name, with rows in it": [
    {
      kind: {
        taxonomy: [
          { ...taxonomy[0], name: "Bank card", definition: "A lost, stolen or blocked card" },
          ...taxonomy.slice(1),
        ],
      },
    },
    { kind: 12, sum: 4 },
  ],
  "a definition": [
    {
      kind: {
        taxonomy: [...taxonomy.slice(0, 1), { name: "Transfer", definition: "Money sent or received; a transfer" }],
      },
    },
    { kind: 12 },
  ],
  "an example": [{ kind: { taxonomy: taxonomy.map((one) => ({ ...one, examples: ["Where is it"] })) } }, { kind: 12 }],
  "the order of the categories": [{ kind: { taxonomy: taxonomy.toReversed() } }, { kind: 12 }],
  "the most characters of a summary, which the prompt says": [{ sum: { maxCharacters: 300 } }, { sum: 12 }],
  "a rule of a summary in words": [{ sum: { rules: ["No names."] } }, { sum: 12 }],
  "the temperature": [{ sum: { temperature: 0.5 } }, { sum: 12 }],
  "the most tokens of an answer": [{ kind: { maxOutputTokens: 300 } }, { kind: 12 }],
  "a step's name": [{ sum: { name: "summary" } }, { summary: 12 }],
  "an input map": [{ sum: { inputMap: { text: (s) => s.raw.note } } }, { sum: 12 }],
  "an input that is added": [{ kind: { inputMap: { text: (s) => s.raw.note, context: (s) => s.pk } } }, { kind: 12 }],
  "how much of a text is sent": [{ sum: { maxInputCharacters: 20, onTooLong: "truncate" } }, { sum: 12 }],
  "the model of all steps": [{ provider: { model: "mock-2" } }, { kind: 12, sum: 12 }],
  "the provider of one step": [{ sum: { llmProvider: new MockProvider({ seed: 2 }) } }, { sum: 12 }],
  "the row's text": [{ rows: notes(12).map((row) => ({ ...row, note: `${row.note} Soon.` })) }, { kind: 12, sum: 12 }],
};

for (const [what, [change, expected]] of Object.entries(askedAgain)) {
  test(`a change of ${what} asks again exactly where the request changed`, async () => {
    const place = new Place();
    await place.run();
    assert.deepEqual((await place.run(change)).calls, expected);
    assert.deepEqual((await place.run(change)).calls, {}, "and only once");
    assert.deepEqual((await place.run()).calls, {}, "and what was known before is still known");
  });
}

test("a variable that an input map closes over is noticed, though the code is the same", async () => {
  const place = new Place({ kind: { inputMap: { text: (s) => s.raw.note, context } } });
  tone = "brief";
  await place.run();
  tone = "long";
  assert.deepEqual((await place.run()).calls, { kind: 12 });
  tone = "brief";
  assert.deepEqual((await place.run()).calls, {});
});

/** Changes that no request knows of. */
const notAskedAgain: Readonly<Record<string, Partial<Setup>>> = {
  "the batch size": { pipeline: { batchSize: 3 } },
  "the concurrency": { pipeline: { concurrency: 2 } },
  "how long a row waits for its batch": { pipeline: { flushIntervalMs: 10 } },
  "how often an invalid answer is asked again": { kind: { maxRetries: 1 }, sum: { maxRetries: 0 } },
  "how calls are tried again": { pipeline: { admission: { maxTransportRetries: 1 } } },
  "what becomes of failed rows": { pipeline: { onRowError: "skip" } },
  "the pipeline's name, with the same journal": { pipeline: { name: "other" } },
  "the prices": {
    provider: { prices: { currency: "EUR", inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 2 } },
  },
  "a limit of the input that no row reaches": { sum: { maxInputCharacters: 5000 } },
  "a pattern that no summary matches, and that is in no prompt": { sum: { mustNotMatch: [/\d{30}/] } },
  "the latency": { provider: { latencyMs: 1 } },
};

for (const [what, change] of Object.entries(notAskedAgain)) {
  test(`a change of ${what} makes no call and writes nothing`, async () => {
    const place = new Place();
    await place.run();
    const { calls, written, report } = await place.run(change);
    assert.deepEqual([calls, written, report.status], [{}, 0, "completed"]);
  });
}

/** One step with a schema; what is asked of it, and how its answers are checked, is the caller's. */
async function runExtractor(place: Place, schema: z.ZodObject, outputKey = "out"): Promise<Result> {
  const events: RunEvent[] = [];
  const report = await new Pipeline<Note>({
    name: "notes",
    source: new MemorySource<Note>({ rows: notes(5), primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journalPath: place.journalPath,
    payloadLog: "off",
    onRowError: "skip",
  })
    .step(new ExtractorStep({ name: "extract", schema, inputMap: { text: (s) => s.raw.note }, outputKey }))
    .to(place.out)
    .run({ onEvent: (event) => events.push(event) });
  return resultOf(report, events);
}

const schemas = {
  plain: z.object({ amount: z.number().min(0).max(10) }),
  described: z.object({ amount: z.number().min(0).max(10).describe("In euros") }),
  limited: z.object({ amount: z.number().min(0).max(9) }),
  extended: z.object({ amount: z.number().min(0).max(10), city: z.string() }),
  refined: z.object({ amount: z.number().min(0).max(10) }).refine(({ amount }) => amount >= 0, "must be positive"),
  impossible: z.object({ amount: z.number().min(0).max(10) }).refine(() => false, { message: "never right" }),
} as const;

for (const change of ["described", "limited", "extended"] as const) {
  test(`a schema that is ${change} is asked anew`, async () => {
    const place = new Place();
    assert.deepEqual((await runExtractor(place, schemas.plain)).calls, { extract: 5 });
    assert.deepEqual((await runExtractor(place, schemas[change])).calls, { extract: 5 });
    assert.deepEqual((await runExtractor(place, schemas[change])).calls, {});
  });
}

test("a schema that gets a rule of which the model is not told: the answers are checked by it, and those that pass are reused", async () => {
  const place = new Place();
  await runExtractor(place, schemas.plain);
  const passing = await runExtractor(place, schemas.refined);
  assert.deepEqual([passing.calls, passing.report.successCount], [{}, 5]);
  const failing = await runExtractor(place, schemas.impossible);
  assert.deepEqual(failing.calls, { extract: 5 }, "each is sent back once, and has the same fault again");
  assert.deepEqual(failing.report.failuresByCode, { INVALID_OUTPUT: 5 });
});

test("another output key is no other question", async () => {
  const place = new Place();
  await runExtractor(place, schemas.plain);
  const { calls, written, report } = await runExtractor(place, schemas.plain, "renamed");
  assert.deepEqual([calls, written, report.status], [{}, 0, "completed"]);
});

// --- What the target says --------------------------------------------------------------------------------------------

const tableColumns = {
  ...columnMap,
  model: (s) => s.lineage.sum?.model,
  prompt: (s) => s.lineage.sum?.promptHash,
  tokens: (s) => s.lineage.kind?.inputTokens,
  started_at: (s) => s.startedAt,
  completed_at: (s) => s.completedAt,
  run_id: (s) => s.run.id,
} satisfies ColumnMap<Done>;

const createTable = (table: string): string =>
  `CREATE TABLE ${table} (id TEXT PRIMARY KEY, category, summary, model, prompt, tokens, started_at, completed_at, run_id);`;

/** A table of a database of the place's own. */
class Table {
  readonly path: string;
  readonly sink: SQLiteSink<Done>;

  constructor(place: Place) {
    this.path = join(place.folder, "target.db");
    execute(this.path, createTable("enriched"));
    this.sink = this.sinkTo("enriched");
  }

  sinkTo(targetTable: string, columns: ColumnMap<Done> = tableColumns): SQLiteSink<Done> {
    return new SQLiteSink({ databasePath: this.path, targetTable, mergeKeys: ["id"], columnMap: columns });
  }

  rows(table = "enriched"): Record<string, unknown>[] {
    return query(this.path, `SELECT * FROM ${table} ORDER BY rowid`);
  }
}

function placeWithTable(setup: Partial<Setup> = {}): { place: Place; table: Table } {
  const empty = new Place();
  const table = new Table(empty);
  return { place: Object.assign(empty, { setup: { sink: table.sink, ...setup } }), table };
}

test("rows that did not change keep the columns that tell time, run and lineage; one that did gets those of now", async () => {
  const { place, table } = placeWithTable();
  const first = await place.run();
  const before = table.rows();
  assert.deepEqual((await place.run()).written, 0);
  assert.deepEqual(table.rows(), before);
  const changed = notes(12).map((row) => (row.id === "n5" ? { ...row, note: "My card was stolen in Rome." } : row));
  const second = await place.run({ rows: changed });
  assert.deepEqual([second.calls, second.written], [{ kind: 1, sum: 1 }, 1]);
  const after = table.rows();
  assert.deepEqual(
    after.filter(({ id }) => id !== "n5"),
    before.filter(({ id }) => id !== "n5"),
  );
  const [old, now] = [before, after].map((rows) => rows.find(({ id }) => id === "n5"));
  assert.deepEqual([old?.["run_id"], now?.["run_id"]], [first.report.runId, second.report.runId]);
  assert.ok(String(now?.["completed_at"]) > String(old?.["completed_at"]));
  assert.ok(String(now?.["started_at"]) > String(old?.["started_at"]));
});

test("a prompt that changed and brought the same output is no reason to write a row again", async () => {
  const { place, table } = placeWithTable();
  await place.run();
  const before = table.rows();
  const { calls, written } = await place.run({ sum: { instructions: "Be brief." } });
  assert.deepEqual([calls, written], [{ sum: 12 }, 0]);
  assert.deepEqual(table.rows(), before);
});

test("a column that is added or mapped otherwise is written for every row, and no call is made", async () => {
  const { place, table } = placeWithTable();
  await place.run();
  const loud = { ...tableColumns, summary: (s: Done) => s.processed.sum.text.toUpperCase() };
  const { calls, written } = await place.run({ sink: table.sinkTo("enriched", loud) });
  assert.deepEqual([calls, written], [{}, 12]);
  assert.match(String(table.rows()[0]?.["summary"]), /^QUESTION 1 /);
});

test("another table is filled anew, and the first one is still known", async () => {
  const { place, table } = placeWithTable();
  await place.run();
  execute(table.path, createTable("other"));
  const { calls, written } = await place.run({ sink: table.sinkTo("other") });
  assert.deepEqual([calls, written, table.rows("other").length], [{}, 12, 12]);
  assert.deepEqual((await place.run()).written, 0);
});

const refused = (problem: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TargetError);
  assert.equal(error.code, "TARGET_MISMATCH");
  assert.match(error.message, problem);
  return true;
};

/** A run that is refused before its first row: it makes no call. */
async function assertRefused(place: Place, problem: RegExp): Promise<void> {
  const events: RunEvent[] = [];
  await assert.rejects(place.run({}, { onEvent: (event) => events.push(event) }), refused(problem));
  assert.deepEqual(
    events.filter(({ type }) => type === "call-start" || type === "row-start"),
    [],
  );
}

test("a target that was emptied is refused with a word on fresh, which writes all again and pays for nothing", async () => {
  const { place, table } = placeWithTable();
  await place.run();
  execute(table.path, "DELETE FROM enriched");
  await assertRefused(place, /enriched is empty, but the journal has rows .*fresh: true \(--fresh\)/);
  await assertRefused(place, /fresh/);
  const { calls, written, report } = await place.run({}, { fresh: true });
  assert.deepEqual([calls, written, report.unchangedCount, table.rows().length], [{}, 12, 0, 12]);
  assert.deepEqual((await place.run()).written, 0);
});

test("a target that was dropped is refused, and so is the empty one that takes its place", async () => {
  const { place, table } = placeWithTable();
  await place.run();
  execute(table.path, "DROP TABLE enriched");
  await assertRefused(place, /there is no table "enriched"/);
  execute(table.path, createTable("enriched"));
  await assertRefused(place, /fresh/);
});

test("a target that was swapped for one with other rows ends the run, which is no success", async () => {
  const { place, table } = placeWithTable();
  await place.run();
  execute(table.path, `DROP TABLE enriched; ${createTable("enriched")} INSERT INTO enriched (id) VALUES ('x'), ('y')`);
  for (let run = 0; run < 2; run += 1) {
    const { report, calls, written } = await place.run();
    assert.deepEqual([report.status, report.error?.code, report.exitCode], ["failed", "TARGET_MISMATCH", 3]);
    assert.match(report.error?.message ?? "", /a row is missing .*fresh: true/);
    assert.deepEqual([calls, written], [{}, 0]);
  }
  const { calls, written } = await place.run({}, { fresh: true });
  assert.deepEqual([calls, written, table.rows().length], [{}, 12, 14]);
});

for (const stop of ["before its first batch", "after some batches"] as const) {
  test(`a fresh run into an emptied target that is stopped ${stop} is gone on with by a plain run`, async () => {
    const { place, table } = placeWithTable({ rows: notes(60), pipeline: { batchSize: 5, concurrency: 4 } });
    await place.run();
    execute(table.path, "DELETE FROM enriched");
    const controller = new AbortController();
    const wanted = stop === "before its first batch" ? "row-start" : "batch-end";
    const stopped = await place.run(
      {},
      {
        fresh: true,
        signal: controller.signal,
        stopNowSignal: stop === "before its first batch" ? controller.signal : undefined,
        onEvent: ({ type }) => type === wanted && controller.abort(),
      },
    );
    assert.equal(stopped.report.status, "aborted");
    const left = table.rows().length;
    assert.ok(left < 60 && (stop === "before its first batch" || left > 0), `${left} rows`);
    const { calls, written, report } = await place.run();
    assert.deepEqual([calls, written, report.unchangedCount], [{}, 60 - left, left]);
    assert.equal(table.rows().length, 60);
  });
}

test("a fresh run that maxCalls stops in the middle loses no row of the target", async () => {
  const { place, table } = placeWithTable({ rows: notes(40), pipeline: { batchSize: 5, concurrency: 4 } });
  await place.run();
  const edited = { rows: notes(40).map((row) => ({ ...row, note: `Again: ${row.note}` })) };
  const stopped = await place.run(edited, { fresh: true, maxCalls: 30 });
  assert.deepEqual([stopped.report.error?.code, stopped.report.exitCode], ["LIMIT_REACHED", 3]);
  assert.equal(table.rows().length, 40);
  const rest = await place.run(edited);
  assert.deepEqual([rest.report.status, rest.report.successCount], ["completed", 40]);
  assert.equal(table.rows().filter(({ summary }) => String(summary).startsWith("Again: ")).length, 40);
});

// --- What a run that stopped leaves ------------------------------------------------------------------------------------

test("runs that maxCalls stops one after another make as many calls in all as one that is not stopped", async () => {
  const rows = notes(50);
  const undisturbed = await new Place({ rows }).run();
  const { place, table } = placeWithTable({ rows, pipeline: { batchSize: 7, concurrency: 5 } });
  let calls = 0;
  let runs = 0;
  for (let done = false; !done; runs += 1) {
    const { report } = await place.run({}, { maxCalls: 13 });
    calls += report.usage.calls;
    done = report.status === "completed";
    if (!done) assert.deepEqual([report.error?.code, report.usage.calls], ["LIMIT_REACHED", 13]);
    assert.ok(runs < 20, "it comes to no end");
  }
  assert.deepEqual([calls, runs], [undisturbed.report.usage.calls, Math.ceil(100 / 13)]);
  assert.equal(table.rows().length, 50);
});

test("a run that a signal stops is gone on with: what was paid for is not asked again", async () => {
  const place = new Place({ rows: notes(50), provider: { latencyMs: 2 }, pipeline: { concurrency: 5, batchSize: 10 } });
  const controller = new AbortController();
  const stopped = await place.run(
    {},
    {
      signal: controller.signal,
      onEvent: ({ type }) => type === "batch-end" && controller.abort(),
    },
  );
  assert.equal(stopped.report.status, "aborted");
  const { report } = await place.run();
  assert.equal(stopped.report.usage.calls + report.usage.calls, 100);
  assert.deepEqual([report.successCount, place.target.rows.length], [50, 50]);
});

// --- Rows that fail ----------------------------------------------------------------------------------------------------

const filtered = (): ProviderError => new ProviderError("row", "CONTENT_FILTER", "the filter said no", { status: 400 });
const asksAbout = ({ messages }: LLMRequest, text: string): boolean => messages[1]?.content.includes(text) ?? false;

test("rows that failed are tried again by the next run, and only they", async () => {
  const place = new Place({ pipeline: { onRowError: "skip" } });
  const fail = (request: LLMRequest) =>
    asksAbout(request, "Question 3 ") || (asksAbout(request, "Question 7 ") && request.schema.name === "sum")
      ? filtered()
      : undefined;
  const first = await place.run({ fail });
  assert.deepEqual(first.report.failuresByCode, { CONTENT_FILTER: 2 });
  assert.deepEqual([first.report.exitCode, first.written], [1, 10]);
  const second = await place.run({ fail });
  assert.deepEqual([second.calls, second.written, second.report.unchangedCount], [{ kind: 1, sum: 1 }, 0, 10]);
  const third = await place.run();
  assert.deepEqual([third.calls, third.written, third.report.unchangedCount], [{ kind: 1, sum: 2 }, 2, 10]);
  assert.deepEqual((await place.run()).calls, {});
});

test("a row that failed after it had been written is written again once it succeeds", async () => {
  const place = new Place({ pipeline: { onRowError: "skip" } });
  await place.run();
  const fail = (request: LLMRequest) => (asksAbout(request, "Question 3 ") ? filtered() : undefined);
  const failed = await place.run({ fail }, { cache: false });
  assert.deepEqual([failed.report.skippedCount, failed.report.unchangedCount], [1, 11]);
  assert.deepEqual([(await place.run()).written, (await place.run()).written], [1, 0]);
});

test("the answers of a re-ask that came to a good end are reused", async () => {
  const place = new Place();
  const fail: Setup["fail"] = ({ messages, schema }) =>
    schema.name === "kind" && messages.length === 2 ? { text: "no JSON" } : undefined;
  assert.deepEqual((await place.run({ fail })).calls, { kind: 24, sum: 12 });
  const { calls, written, report } = await place.run();
  assert.deepEqual([calls, written, report.usage.reusedAnswers, report.usage.reAsks], [{}, 0, 36, 0]);
});

test("the answers of a re-ask that failed in the end are asked anew, from the first one", async () => {
  const place = new Place({ pipeline: { onRowError: "skip" } });
  const fail = (request: LLMRequest) => (asksAbout(request, "Question 3 ") ? { text: "no JSON" } : undefined);
  const first = await place.run({ fail });
  assert.deepEqual([first.report.failuresByCode, first.calls], [{ INVALID_OUTPUT: 1 }, { kind: 13, sum: 11 }]);
  assert.deepEqual((await place.run({ fail })).calls, { kind: 2 });
  const last = await place.run();
  assert.deepEqual([last.calls, last.written], [{ kind: 1, sum: 1 }, 1]);
});

// --- Equal requests in flight -------------------------------------------------------------------------------------------

const twins = Array.from({ length: 5 }, (_, index) => ({ id: `t${index + 1}`, note: "My card was stolen." }));

test("equal requests in flight make one call", async () => {
  const place = new Place({ rows: twins, provider: { latencyMs: 5 } });
  const { calls, written, report } = await place.run();
  assert.deepEqual([calls, written, report.usage.reusedAnswers], [{ kind: 1, sum: 1 }, 5, 8]);
});

/** Runs the twins against a service that fails, and reads what became of them. */
async function runTwins(fail: Setup["fail"]): Promise<Result & { deadLetters: ReturnType<typeof readLines> }> {
  const place = new Place({ rows: twins });
  const { deadLetterPath } = place;
  const admission = { maxTransportRetries: 0, retryDelayMs: [0, 0] } as const;
  const result = await place.run({ fail, pipeline: { onRowError: "dead_letter", deadLetterPath, admission } });
  return { ...result, deadLetters: readLines(deadLetterPath) };
}

test("a content filter's refusal is shared by the rows that wait for it, and each fails under its own key", async () => {
  const { calls, report, deadLetters } = await runTwins(filtered);
  assert.deepEqual([calls, report.failureCount], [{ kind: 1 }, 5]);
  assert.deepEqual(deadLetters.map(({ pk }) => pk).toSorted(), ["t1", "t2", "t3", "t4", "t5"]);
  assert.deepEqual([...new Set(deadLetters.map(({ error_code: code }) => code))], ["CONTENT_FILTER"]);
});

test("after a failure that may pass each row that waited asks for itself", async () => {
  const transient = new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500 });
  const { calls, report, deadLetters } = await runTwins((_, callNumber) => (callNumber === 1 ? transient : undefined));
  assert.deepEqual([report.failureCount, report.successCount], [1, 4]);
  assert.deepEqual([calls["kind"], calls["sum"]], [5, 1]);
  assert.deepEqual(
    deadLetters.map(({ error_code: code }) => code),
    ["SERVICE_UNAVAILABLE"],
  );
});

test("an answer that is shared is checked by each row, and each fails under its own key", async () => {
  const { calls, report, deadLetters } = await runTwins(() => ({ text: "no JSON" }));
  assert.deepEqual([report.failuresByCode, calls], [{ INVALID_OUTPUT: 5 }, { kind: 2 }]);
  assert.deepEqual(deadLetters.map(({ pk }) => pk).toSorted(), ["t1", "t2", "t3", "t4", "t5"]);
});

// --- What counts as the same values --------------------------------------------------------------------------------------

/** Values that a column can hold: many of them near to one another. */
const cell: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, "", "null", 0, 1, "1", 1n, true, false, "true", 1.5, "1.5", Infinity, "Infinity"),
  fc.constantFrom<unknown>(new Date(0), new Date(1), "1970-01-01T00:00:00.000Z", Buffer.from("a"), "YQ==", Buffer.of()),
  fc.constantFrom<unknown>("é", "e\u0301", "a\0b", "a", " a", 2 ** 53, 2n ** 53n, 2n ** 53n + 1n, 0.1 + 0.2, 0.3),
  fc.string({ maxLength: 4 }),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true }).map((value) => value + 0), // -0 is stored as 0
  fc.bigInt({ min: -3n, max: 3n }),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
);
const cells = fc.record({ a: cell, b: cell });

interface Cells {
  readonly id: string;
  readonly a: unknown;
  readonly b: unknown;
}

const cellMap = {
  id: (s) => s.pk,
  a: (s) => s.raw.a,
  b: (s) => s.raw.b,
} satisfies ColumnMap<SinkState<Cells>>;

/** Runs rows into a sink; gives the keys of those that it was given, run by run. */
function cellWriter(): (rows: readonly object[]) => Promise<readonly unknown[]> {
  const { journalPath } = new Place();
  const sink = new MemorySink({ columnMap: cellMap }); // without keys each row that is written is added
  return async (rows) => {
    const before = sink.rows.length;
    const { status } = await new Pipeline<Cells>({
      name: "cells",
      source: new MemorySource<Cells>({ rows, primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(),
      journalPath,
      payloadLog: "off",
    })
      .to(sink)
      .run();
    assert.equal(status, "completed");
    return sink.rows.slice(before).map(({ id }) => id);
  };
}

test("a row is written again exactly where a value of it is not the same as before", async () => {
  const oneChanged = fc.tuple(cell, cell, cell).map(
    ([a, b, c]) =>
      [
        { a, b },
        { a, b: c },
      ] as const,
  );
  const pairs = fc.sample(fc.oneof(fc.tuple(cells, cells), oneChanged, fc.clone(cells, 2)), { numRuns: 3000, seed: 7 });
  const write = cellWriter();
  const rowsOf = (side: 0 | 1): object[] => pairs.map((pair, index) => ({ ...pair[side], id: String(index) }));
  assert.equal((await write(rowsOf(0))).length, pairs.length);
  const written = new Set(await write(rowsOf(1)));
  const areEqual = ([one, other]: (typeof pairs)[number]): boolean => isDeepStrictEqual({ ...one }, { ...other });
  const wrong = pairs.filter((pair, index) => written.has(String(index)) === areEqual(pair));
  assert.deepEqual(wrong, []);
  assert.ok(written.size > 1000 && written.size < pairs.length - 500, `${written.size} were written`);
  assert.deepEqual(await write(rowsOf(1)), []);
});

test("an undefined value is the NULL that it is written as, and which column has which value is told apart", async () => {
  const write = cellWriter();
  const row = (a: unknown, b: unknown): object[] => [{ id: "r", a, b }];
  await write(row(undefined, 1));
  assert.deepEqual(await write(row(null, 1)), []);
  assert.deepEqual(await write(row(1, null)), ["r"]);
  assert.deepEqual(await write(row(1, undefined)), []);
});
