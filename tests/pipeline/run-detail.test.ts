import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import type { JournalReader } from "../../src/contracts/journal.ts";
import type { RunAttempt, RunRow, TimeSlice, ValueCounts } from "../../src/contracts/run-detail.ts";
import {
  ClassifierStep,
  ExtractorStep,
  Pipeline,
  ProviderError,
  type SinkState,
  SummarizerStep,
  TransformStep,
} from "../../src/index.ts";
import type { RowInFlight } from "../../src/engine/rows-in-flight.ts";
import { PrimaryKeyError } from "../../src/errors/source.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { RunDetail, type RunDetailOptions } from "../../src/pipeline/run-detail.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { MemorySink, MemorySource } from "../../src/testing/index.ts";
import { callEnd } from "../support/run-events.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Row {
  readonly id: string;
  readonly note: string;
}

const folder = temporaryFolder();
const secret = "Jane Doe";
const prices = { inputPerMillion: 1, cachedInputPerMillion: 0.5, outputPerMillion: 2, currency: "USD" };
const taxonomy = [
  { name: "Routine", definition: "planned" },
  { name: "Urgent", definition: "at once" },
];
const columnMap = { id: (s: SinkState<Row>) => s.pk, note: (s: SinkState<Row>) => s.raw.note };
const rowsOf = (count: number): Row[] =>
  Array.from({ length: count }, (_, index) => ({ id: `r${index + 1}`, note: `${secret}, note ${index + 1}.` }));

/** What a model answers to the note with a number, attempt by attempt; the last one again and again. */
type Script = (note: number, attempt: number) => string | Error;

const answerText = (category: string, confidence: number): string =>
  JSON.stringify({ reasoning: `${secret} said so`, category, confidence });

function scripted(script: Script): MockProvider {
  const attempts = new Map<number, number>();
  return new MockProvider({
    prices,
    responses: ({ messages }) => {
      const note = Number(/note (\d+)\./.exec(messages.map(({ content }) => content).join(""))?.[1]);
      const attempt = (attempts.get(note) ?? 0) + 1;
      attempts.set(note, attempt);
      return script(note, attempt);
    },
  });
}

interface Made {
  readonly rows?: readonly Row[];
  readonly script?: Script;
  readonly csv?: boolean;
  readonly sink?: MemorySink<SinkState<Row>, "id" | "note">;
  readonly journal?: SQLiteJournal;
}

const newFolder = (): string => mkdtempSync(join(folder, "run "));
const newJournal = (): SQLiteJournal => new SQLiteJournal({ path: join(newFolder(), "journal.db") });

function pipelineOf({ rows = rowsOf(4), script, csv = false, sink, journal = newJournal() }: Made = {}) {
  return new Pipeline<Row>({
    name: "detail",
    source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
    llmProvider: script === undefined ? new MockProvider({ prices }) : scripted(script),
    onRowError: "skip",
    concurrency: 1,
    payloadLog: "off",
    journal,
  })
    .step(new ClassifierStep({ name: "kind", taxonomy, inputMap: { text: (s) => s.raw.note }, outputKey: "visit" }))
    .to(
      csv
        ? new CSVSink({ filePath: join(newFolder(), "out.csv"), columnMap })
        : (sink ?? new MemorySink({ columnMap, mergeKeys: ["id"] })),
    );
}

async function look<Result>(journal: SQLiteJournal, work: (reader: JournalReader) => Promise<Result>): Promise<Result> {
  const reader = (await journal.reader()) ?? assert.fail("there is a journal");
  return await work(reader);
}

const rowsIn = async (journal: SQLiteJournal, runId: string): Promise<readonly RunRow[]> =>
  await look(journal, async ({ runs }) => (await runs.rows(runId, { limit: 100 })).items);
const attemptsIn = async (journal: SQLiteJournal, runId: string, pk: string): Promise<readonly RunAttempt[]> =>
  await look(journal, async ({ runs }) => (await runs.attempts(runId, pk, { limit: 100 })).items);
const valuesIn = async (journal: SQLiteJournal, runId: string): Promise<readonly ValueCounts[]> =>
  await look(journal, async ({ runs }) => (await runs.values(runId, { limit: 100 })).items);
const timelineIn = async (journal: SQLiteJournal, runId: string): Promise<readonly TimeSlice[]> =>
  await look(journal, async ({ runs }) => (await runs.timeline(runId, { limit: 100 })).items);

const mixed: Script = (note, attempt) => {
  if (note === 2) return new ProviderError("row", "CONTENT_FILTER", "the filter held it back");
  if (note === 3 && attempt === 1) return answerText("Planned", 0.5);
  if (note === 4 && attempt === 1) return new ProviderError("transient", "SERVER_ERROR", "down", { kind: "server" });
  return answerText(note === 1 ? "Urgent" : "Routine", 0.125 * note);
};

test("each row of a run is in the journal with its end, step, code, cost, category and confidence", async () => {
  const journal = newJournal();
  const { runId, cost } = await pipelineOf({ script: mixed, journal }).run();
  const rows = await rowsIn(journal, runId);
  assert.deepEqual(
    rows.map((row) => ({ ...row, cost: null })).toSorted((one, other) => one.position - other.position),
    [1, 2, 3, 4].map((position) => ({
      position,
      pk: `r${position}`,
      outcome: position === 2 ? "skipped" : "written",
      step: position === 2 ? "kind" : null,
      errorCode: position === 2 ? "CONTENT_FILTER" : null,
      errorMessage: position === 2 ? "the filter held it back" : null,
      cost: null,
      categories: position === 2 ? {} : { "visit.category": position === 1 ? "Urgent" : "Routine" },
      confidences: position === 2 ? {} : { "visit.confidence": 0.125 * position },
    })),
  );
  const sum = rows.reduce((total, row) => total + (row.cost ?? Number.NaN), 0);
  assert.ok(Math.abs(sum - (cost?.amount ?? 0)) < 1e-9 && sum > 0, `${sum}`);
});

test("an unchanged row is in the journal as such, at no cost, with its category", async () => {
  const made = {
    journal: newJournal(),
    sink: new MemorySink<SinkState<Row>, "id" | "note">({ columnMap, mergeKeys: ["id"] }),
  };
  await pipelineOf(made).run();
  const { runId, unchangedCount } = await pipelineOf(made).run();
  assert.equal(unchangedCount, 4);
  const rows = await rowsIn(made.journal, runId);
  assert.deepEqual(
    rows.map(({ pk, outcome, cost }) => [pk, outcome, cost]),
    ["r1", "r2", "r3", "r4"].map((pk) => [pk, "unchanged", 0]),
  );
  for (const { categories } of rows) assert.ok(["Routine", "Urgent"].includes(categories["visit.category"] ?? ""));
  const [last] = await valuesIn(made.journal, runId);
  assert.equal(
    last?.categories.reduce((sum, { count }) => sum + count, 0),
    4,
    "values of unchanged rows count",
  );
});

test("each attempt is in the journal with its kind, its waits, the rules broken and its cost", async () => {
  const journal = newJournal();
  const { runId, usage } = await pipelineOf({ script: mixed, journal }).run();
  const attempts = await Promise.all(["r1", "r2", "r3", "r4"].map(async (pk) => await attemptsIn(journal, runId, pk)));
  assert.deepEqual(
    attempts.map((ofRow) => ofRow.map(({ kind, issueCodes, errorCode }) => [kind, issueCodes, errorCode])),
    [
      [["first", [], null]],
      [["first", [], "CONTENT_FILTER"]],
      [
        ["first", [], null],
        ["re-ask", ["choice"], null],
      ],
      [
        ["first", [], "SERVER_ERROR"],
        ["retry", [], null],
      ],
    ],
  );
  const all = attempts.flat();
  assert.equal(all.length, usage.calls);
  assert.equal(
    all.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    usage.inputTokens,
  );
  for (const { waitMs, latencyMs, startedAt, step } of all) {
    assert.ok(waitMs >= 0 && latencyMs >= 0 && startedAt.getTime() <= Date.now());
    assert.equal(step, "kind");
  }
});

test("the time line adds up to the run", async () => {
  const journal = newJournal();
  const { runId, usage, successCount } = await pipelineOf({ script: mixed, journal }).run();
  const slices = await timelineIn(journal, runId);
  const sumOf = (figure: (slice: TimeSlice) => number): number => slices.reduce((sum, slice) => sum + figure(slice), 0);
  assert.deepEqual(
    [sumOf(({ calls }) => calls), sumOf(({ rows }) => rows.written), sumOf(({ rows }) => rows.skipped)],
    [usage.calls, successCount, 1],
  );
  for (const { startedAt } of slices) assert.equal(startedAt.getTime() % 10_000, 0);
});

test("values are counted per output column, and no text of a row or an answer is in the journal beside the answers", async () => {
  const path = join(newFolder(), "journal.db");
  const journal = new SQLiteJournal({ path });
  const base = { name: "values", payloadLog: "off", journal, llmProvider: new MockProvider() } as const;
  const facts = z.object({
    age: z.number().nullable(),
    isNew: z.boolean(),
    tags: z.array(z.string()),
    more: z.object({ tone: z.enum(["calm", "loud"]), secret: z.string() }),
  });
  const output = (note: number): object => ({
    reasoning: secret,
    age: note === 1 ? null : 10 * note + 0.3,
    isNew: note < 3,
    tags: [secret],
    more: { tone: note === 1 ? "loud" : "calm", secret },
  });
  const provider = scripted((note) => JSON.stringify(output(note)));
  const { runId, successCount } = await new Pipeline<Row>({
    ...base,
    llmProvider: provider,
    source: new MemorySource<Row>({ rows: rowsOf(4), primaryKeyColumn: "id" }),
  })
    .step(
      new ExtractorStep({ name: "facts", schema: facts, inputMap: { text: (s) => s.raw.note }, outputKey: "facts" }),
    )
    .step(new TransformStep({ name: "own", transform: (s) => ({ [s.raw.note]: secret, n: 1 }), outputKey: "own" }))
    .step(new TransformStep({ name: "length", transform: (s) => s.raw.note.length, outputKey: "length" }))
    .to(new MemorySink({ columnMap, mergeKeys: ["id"] }))
    .run();
  assert.equal(successCount, 4);
  const values = new Map((await valuesIn(journal, runId)).map((counts) => [counts.column, counts]));
  assert.deepEqual(
    [...values.keys()],
    [
      "facts.age",
      "facts.isNew",
      "facts.more.secret",
      "facts.more.tone",
      "facts.reasoning",
      "facts.tags",
      "length",
      "own",
    ],
  );
  const age = values.get("facts.age");
  assert.deepEqual(
    [age?.nulls, age?.numbers],
    [1, { minimum: 20.3, maximum: 40.3, bins: [20, 30, 40].map((value) => ({ value, count: 1 })) }],
  );
  assert.deepEqual([values.get("facts.isNew")?.trues, values.get("facts.isNew")?.falses], [2, 2]);
  assert.deepEqual(values.get("facts.more.tone")?.categories, [
    { name: "calm", count: 3 },
    { name: "loud", count: 1 },
  ]);
  assert.deepEqual(values.get("facts.more.secret")?.textLengths?.bins, [{ value: secret.length, count: 4 }]);
  assert.deepEqual(values.get("facts.tags")?.listLengths?.bins, [{ value: 1, count: 4 }]);
  assert.equal(values.get("length")?.numbers?.minimum, `${secret}, note 1.`.length);
  assert.doesNotMatch(
    JSON.stringify([...values.values(), ...(await rowsIn(journal, runId)), await attemptsIn(journal, runId, "r1")]),
    /Jane/,
  );
  assert.match(readFileSync(path, "latin1"), /Jane/, "the answers are there");
});

test("what each row used last is in the journal: of written, unchanged and failed rows, of a sink that keeps no rows, and after a re-ask", async () => {
  const script: Script = (note, attempt) => mixed(note, attempt);
  for (const csv of [false, true]) {
    const journal = newJournal();
    const sink = new MemorySink<SinkState<Row>, "id" | "note">({ columnMap, mergeKeys: ["id"] });
    const made = pipelineOf({ script, journal, csv, sink });
    await made.run();
    const identity = await look(journal, async ({ runs }) => (await runs.list({ limit: 1 })).items[0]?.sink ?? "");
    const used = async (): Promise<ReadonlyMap<string, readonly string[]>> =>
      await look(journal, async ({ answers }) => await answers.findUsed(identity, ["r1", "r2", "r3", "r4"]));
    const first = await used();
    assert.deepEqual([...first].map(([pk, fingerprints]) => [pk, fingerprints.length]).toSorted(), [
      ["r1", 1],
      ["r3", 2],
      ["r4", 1],
    ]);
    const stored = await look(journal, async ({ answers }) => await answers.find([...first.values()].flat()));
    assert.equal(stored.size, 4, "each is an answer in the journal");
    if (csv) continue;
    // A changed question whose answer leads to the same values leaves the row unchanged, and what it used is another answer.
    const asked = new Pipeline<Row>({
      name: "detail",
      source: new MemorySource<Row>({ rows: rowsOf(1), primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(),
      payloadLog: "off",
      journal,
    })
      .step(new SummarizerStep({ name: "sum", inputMap: { text: (s) => s.raw.note }, outputKey: "sum" }))
      .to(sink);
    assert.equal((await asked.run()).unchangedCount, 1);
    const [again, other] = [await used(), first.get("r1")];
    assert.equal(again.get("r1")?.length, 1);
    assert.notDeepEqual(again.get("r1"), other);
    assert.deepEqual(again.get("r3"), first.get("r3"));
  }
});

test("an unchanged row saves what it used only where that changed", async () => {
  const made = {
    journal: newJournal(),
    sink: new MemorySink<SinkState<Row>, "id" | "note">({ columnMap, mergeKeys: ["id"] }),
  };
  let saves = 0;
  const pipeline = (): ReturnType<typeof pipelineOf> => {
    const { journal } = made;
    const counting = Object.assign(Object.create(journal), {
      open: async (...given: Parameters<SQLiteJournal["open"]>) => {
        const session = await journal.open(...given);
        const saveUsed: typeof session.answers.saveUsed = async (sink, uses) => {
          saves += uses.length;
          await session.answers.saveUsed(sink, uses);
        };
        return { ...session, answers: { ...session.answers, saveUsed } };
      },
    });
    return pipelineOf({ ...made, journal: counting });
  };
  await pipeline().run();
  assert.equal((await pipeline().run()).unchangedCount, 4);
  assert.equal(saves, 0, "written rows save it with the row");
});

test("a row that fails keeps what it used up to there, without answers that led to no output", async () => {
  const journal = newJournal();
  const script: Script = (note, attempt) => {
    if (attempt === 1) return answerText("Routine", 0.5);
    return note === 1 ? new ProviderError("row", "CONTENT_FILTER", "the filter held it back") : "no JSON";
  };
  const { runId } = await new Pipeline<Row>({
    name: "failing",
    source: new MemorySource<Row>({ rows: rowsOf(2), primaryKeyColumn: "id" }),
    llmProvider: scripted(script),
    onRowError: "skip",
    payloadLog: "off",
    journal,
  })
    .step(new ClassifierStep({ name: "kind", taxonomy, inputMap: { text: (s) => s.raw.note }, outputKey: "visit" }))
    .step(new SummarizerStep({ name: "sum", inputMap: { text: (s) => s.raw.note }, outputKey: "sum" }))
    .to(new MemorySink({ columnMap, mergeKeys: ["id"] }))
    .run();
  const rows = await rowsIn(journal, runId);
  assert.deepEqual(rows.map(({ errorCode }) => errorCode).toSorted(), ["CONTENT_FILTER", "INVALID_OUTPUT"]);
  await look(journal, async ({ runs, answers }) => {
    const sink = (await runs.list({ limit: 1 })).items[0]?.sink ?? "";
    const used = await answers.findUsed(sink, ["r1", "r2"]);
    assert.deepEqual([used.get("r1")?.length, used.get("r2")?.length], [1, 1]);
    assert.equal((await answers.find([...used.values()].flat())).size, 2, "those of the first step, which are kept");
  });
});

/** Details of a run whose journal saves when it is let. */
function detailOf(
  saveRows: (rows: readonly RunRow[]) => Promise<void> = async () => {},
  currency: () => string | null = () => "USD",
) {
  const values: ValueCounts[] = [];
  const nothing = async (): Promise<void> => {};
  const runs: RunDetailOptions["runs"] = {
    saveRows: async (_, rows) => await saveRows(rows),
    saveAttempts: nothing,
    saveTimeline: nothing,
    saveValues: async (_, counts) => void values.push(...counts),
  };
  const steps = [new TransformStep({ name: "own", transform: () => 1, outputKey: "own" })];
  return { values, detail: new RunDetail({ runs, runId: "run-1", steps, currency }) };
}

function rowOf(position: number, pk = `r${position}`): RowInFlight {
  const none = { raw: {}, step: null, sinkPlace: null, retryCount: 0, usedAnswers: [], wasWritten: false };
  return { ...none, position, pk, processed: { own: position } };
}

test("a row that failed for its key leaves the cost to the row that has the key, and its values are not counted", async () => {
  const saved: RunRow[] = [];
  const { detail, values } = detailOf(async (rows) => void saved.push(...rows));
  detail.observe(callEnd({ pk: "r1", cost: 0.25 }));
  const duplicate = new PrimaryKeyError("PRIMARY_KEY_DUPLICATE", "row 2: seen before");
  detail.rowEnded(rowOf(2, "r1"), "failed", duplicate);
  detail.observe(callEnd({ pk: "r1", cost: 0.5 }));
  detail.rowEnded(rowOf(1), "written", null);
  await detail.save(true);
  assert.deepEqual(
    saved.map(({ cost }) => cost),
    [0, 0.75],
  );
  assert.deepEqual(values[0]?.numbers?.bins, [{ value: 1, count: 1 }]);
});

test("a row has a cost once prices are known, and none where no price of its calls is", async () => {
  const saved: RunRow[] = [];
  let currency: string | null = null;
  const { detail } = detailOf(
    async (rows) => void saved.push(...rows),
    () => currency,
  );
  detail.rowEnded(rowOf(1), "unchanged", null);
  currency = "USD";
  detail.observe(callEnd({ pk: "r2", cost: null }));
  detail.rowEnded(rowOf(2), "written", null);
  detail.observe(callEnd({ pk: "r3", cost: null }));
  detail.observe(callEnd({ pk: "r3", cost: 0.5 }));
  detail.rowEnded(rowOf(3), "written", null);
  detail.rowEnded(rowOf(4), "unchanged", null);
  await detail.save(true);
  assert.deepEqual(
    saved.map(({ cost }) => cost),
    [null, null, 0.5, 0],
  );
});

test("rows are saved a thousand at a time, and the run waits for a journal that does not keep up", async () => {
  const slow = Promise.withResolvers<void>();
  const sizes: number[] = [];
  const { detail } = detailOf(async (rows) => {
    sizes.push(rows.length);
    await slow.promise;
  });
  for (let position = 1; position <= 3999; position += 1) detail.rowEnded(rowOf(position), "unchanged", null);
  assert.deepEqual([sizes, detail.caughtUp()], [[1000, 1000, 1000], undefined]);
  detail.rowEnded(rowOf(4000), "unchanged", null);
  const waiting = detail.caughtUp();
  assert.ok(waiting !== undefined);
  slow.resolve();
  await waiting;
  await detail.save(true);
  assert.equal(detail.caughtUp(), undefined);
});

test("what the journal threw at rows in between is thrown at the next save", async () => {
  const { detail } = detailOf(async () => await Promise.reject(new Error("disk full")));
  for (let position = 1; position <= 1000; position += 1) detail.rowEnded(rowOf(position), "unchanged", null);
  await assert.rejects(detail.save(false), /disk full/);
  await assert.rejects(detail.save(true), /disk full/);
});
