import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { ChangesRead } from "../../src/contracts/report.ts";
import type { Step } from "../../src/contracts/step.ts";
import type { Parameters as SourceParameters } from "../../src/contracts/source.ts";
import { z } from "zod";
import { type GlobalState, LLMOutputBase, LLMStep, Pipeline, type RunEvent, TransformStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import type { RunOptions } from "../../src/pipeline/options.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import type { ColumnChanges } from "../../src/table/column-changes.ts";
import { runFacts } from "../../src/testing/journal-samples.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { rejectedAlike } from "../support/rejected-alike.ts";
import { execute, query, temporaryFolder } from "../support/sqlite.ts";

interface Row {
  readonly id: string;
  readonly note: string | null;
}

interface PipelineOptions {
  readonly sql?: string;
  readonly changes?: ColumnChanges | undefined;
  readonly parameters?: SourceParameters;
  readonly transform?: (state: GlobalState<Row>, context: { readonly signal: AbortSignal }) => string | Promise<string>;
  readonly columnNote?: (state: { readonly pk: string; readonly processed: { readonly note: string } }) => string;
  readonly targetTable?: string;
  readonly step?: Step<GlobalState<Row>, "note", string>;
}

const byColumn: ColumnChanges = { by: "column", column: "changed_at" };
const upper = (state: GlobalState<Row>): string => {
  if (state.raw.note === "bad") throw new Error("bad");
  return (state.raw.note ?? "").toUpperCase();
};

/** A table of rows that were changed long ago, one a minute, and a target for them. */
class Site {
  readonly path: string;
  readonly journalPath: string;

  constructor(t: TestContext, rowCount = 5) {
    const folder = temporaryFolder(t);
    this.path = join(folder, "data.db");
    this.journalPath = join(folder, "journal.db");
    this.change(`CREATE TABLE source (id TEXT PRIMARY KEY, note TEXT, changed_at TEXT);
      CREATE INDEX source_by_change ON source (changed_at);
      CREATE TABLE target (id TEXT PRIMARY KEY, note TEXT); CREATE TABLE other (id TEXT PRIMARY KEY, note TEXT)`);
    for (let index = 1; index <= rowCount; index += 1) this.put(`r${index}`, `note ${index}`, minute(index));
  }

  change(sql: string): void {
    execute(this.path, sql);
  }

  put(id: string, note: string, changedAt: string | null): void {
    const time = changedAt === null ? "NULL" : `'${changedAt}'`;
    this.change(`INSERT OR REPLACE INTO source VALUES ('${id}', '${note}', ${time})`);
  }

  pipeline({
    sql = "SELECT * FROM source",
    parameters = {},
    transform = upper,
    columnNote = (s) => s.processed.note,
    targetTable = "target",
    step = new TransformStep({ name: "note", transform, outputKey: "note" }),
    ...given
  }: PipelineOptions = {}) {
    const changes = "changes" in given ? given.changes : byColumn;
    return new Pipeline<Row>({
      name: "rows",
      source: new SQLiteSource<Row>({ databasePath: this.path, sql, parameters, primaryKeyColumn: "id", changes }),
      llmProvider: new MockProvider(),
      payloadLog: "off",
      onRowError: "skip",
      flushIntervalMs: 1,
      journal: new SQLiteJournal({ path: this.journalPath }),
    })
      .step(step)
      .to(
        new SQLiteSink({
          databasePath: this.path,
          targetTable,
          mergeKeys: ["id"],
          columnMap: { id: (s) => s.pk, note: columnNote },
        }),
      );
  }

  /** Runs, and returns the keys of the rows that were read, and what the report says of them. */
  async run(
    options: PipelineOptions = {},
    runOptions: RunOptions = {},
  ): Promise<{ read: string[]; changes?: ChangesRead | undefined }> {
    const read: string[] = [];
    const onEvent = (event: RunEvent): void => {
      if (event.type === "row-end") read.push(`${event.pk}${event.outcome === "skipped" ? " skipped" : ""}`);
    };
    const report = await this.pipeline(options).run({ ...runOptions, onEvent });
    assert.equal(report.error, null);
    return { read: read.toSorted(), changes: report.changes };
  }

  get target(): string[] {
    return query(this.path, "SELECT id || ' ' || note AS line FROM target ORDER BY id").map(({ line }) => String(line));
  }
}

function minute(index: number): string {
  return new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString().slice(0, 19).replace("T", " ");
}

const all = ["r1", "r2", "r3", "r4", "r5"];

test("a run reads everything first, and then only what changed since", async (t) => {
  const site = new Site(t);
  const first = await site.run();
  assert.deepEqual(first.read, all);
  assert.deepEqual([first.changes?.rows, first.changes?.since, first.changes?.by], ["all", null, "changed_at"]);
  assert.deepEqual((await site.run()).read, []);
  site.put("r2", "again", minute(10));
  site.put("r6", "new", minute(11));
  const { read, changes } = await site.run();
  assert.deepEqual(read, ["r2", "r6"]);
  assert.deepEqual(changes, { by: "changed_at", rows: "changes", since: minute(5), dueCount: 0, reasons: [] });
  assert.deepEqual(site.target.slice(1, 2), ["r2 AGAIN"]);
  assert.deepEqual((await site.run()).read, []);
});

test("rows that failed are due: read by key until they end well or are gone, also where they did not change", async (t) => {
  const site = new Site(t);
  site.put("r2", "bad", minute(2));
  site.put("r3", "bad", minute(3));
  assert.deepEqual((await site.run()).read, ["r1", "r2 skipped", "r3 skipped", "r4", "r5"]);
  site.put("r6", "new", minute(11));
  const again = await site.run();
  assert.deepEqual([again.read, again.changes?.dueCount], [["r2 skipped", "r3 skipped", "r6"], 2]);
  site.change("UPDATE source SET note = 'good' WHERE id = 'r2'; DELETE FROM source WHERE id = 'r3'"); // at the time that it had
  assert.deepEqual((await site.run()).read, ["r2"]);
  assert.deepEqual((await site.run()).changes?.dueCount, 0);
  assert.ok(site.target.includes("r2 GOOD"));
});

test("a due row that changed is read once", async (t) => {
  const site = new Site(t);
  site.put("r2", "bad", minute(2));
  await site.run();
  site.put("r2", "bad", minute(20));
  assert.deepEqual((await site.run()).read, ["r2 skipped"]);
  site.put("r2", "good", minute(21));
  assert.deepEqual((await site.run()).read, ["r2"]);
  assert.deepEqual((await site.run()).read, []);
});

test("rows without a time are read by each run", async (t) => {
  const site = new Site(t);
  site.put("r3", "none", null);
  assert.deepEqual((await site.run()).read, all);
  assert.deepEqual((await site.run()).read, ["r3"]);
  site.put("r3", "bad", null);
  assert.deepEqual((await site.run()).read, ["r3 skipped"]);
});

test("a row that changed a moment ago is read again: another transaction may still commit an earlier time", async (t) => {
  const site = new Site(t);
  const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
  site.put("r6", "new", ago(60));
  site.put("r7", "future", ago(-3600));
  assert.deepEqual((await site.run()).read, [...all, "r6", "r7"]);
  site.put("r8", "late", ago(90)); // committed after the run, with an earlier time
  assert.deepEqual((await site.run()).read, ["r6", "r7", "r8"]);
  // With a lag that is shorter than the transaction the row is missed: the docs say so.
  const shorter = { changes: { ...byColumn, lagSeconds: 10 } };
  assert.deepEqual((await site.run(shorter)).read, ["r6", "r7", "r8"]);
  site.put("r9", "later", ago(95));
  assert.deepEqual((await site.run(shorter)).read, ["r7"]);
});

test("a run with a limit goes on where the one before has ended, also among rows of one time", async (t) => {
  const site = new Site(t);
  site.change(`UPDATE source SET changed_at = '${minute(1)}'`);
  site.put("r6", "none", null);
  const reads: string[][] = [];
  for (let count = 0; count < 3; count += 1) reads.push((await site.run({}, { limit: 2 })).read);
  assert.deepEqual(reads, [
    ["r1", "r2"],
    ["r3", "r4"],
    ["r5", "r6"],
  ]);
  assert.deepEqual((await site.run()).read, ["r6"]);
});

test("a run that is stopped moves only over what it ended, in order", async (t) => {
  const site = new Site(t);
  const stop = new AbortController();
  let isWaiting = true;
  const pipeline = site.pipeline({
    transform: async (s, { signal }) => {
      if (isWaiting && s.pk === "r2") await new Promise((_, reject) => signal.addEventListener("abort", reject));
      return s.raw.note ?? "";
    },
  });
  const read: (string | null)[] = [];
  const stopped = await pipeline.run({
    stopNowSignal: stop.signal,
    onEvent: (event) => void (event.type === "row-end" && event.outcome === "written" && stop.abort()),
  });
  assert.deepEqual([stopped.status, stopped.successCount, stopped.pendingCount], ["aborted", 4, 1]);
  isWaiting = false;
  await pipeline.run({ onEvent: (event) => void (event.type === "row-end" && read.push(event.pk)) });
  assert.deepEqual(read.toSorted(), all.slice(1));
  assert.equal(site.target.length, 5);
});

const changed: Readonly<Record<string, PipelineOptions>> = {
  "a transform": { transform: (s) => `${s.raw.note}!` },
  "a column's function": { columnNote: (s) => `${s.processed.note}?` },
  "the statement": { sql: "SELECT id, note || '' AS note, changed_at FROM source" },
  "the parameters": { sql: "SELECT * FROM source WHERE id <> @not", parameters: { not: "r0" } },
  "the target": { targetTable: "other" },
};

for (const [name, options] of Object.entries(changed)) {
  test(`everything is read after a change of ${name}, and said so`, async (t) => {
    const site = new Site(t);
    const before = name === "the parameters" ? { ...options, parameters: { not: "r9" } } : {};
    await site.run(before);
    assert.deepEqual((await site.run(before)).read, []);
    const { read, changes } = await site.run(options);
    assert.deepEqual([read, changes?.rows, changes?.reasons.length], [all, "all", 1]);
    assert.deepEqual((await site.run(options)).read, []);
    assert.deepEqual((await site.run(before)).read, all, "what the old one wrote was written over");
  });
}

test("full and fresh read everything, and a part of it is gone on with", async (t) => {
  const site = new Site(t);
  await site.run();
  assert.deepEqual((await site.run({}, { full: true })).read, all);
  assert.deepEqual((await site.run({}, { fresh: true, limit: 2 })).read, ["r1", "r2"]);
  assert.deepEqual((await site.run()).read, ["r3", "r4", "r5"]);
});

test("a fresh run that is stopped before its first row is resumed by any other: everything is written anew", async (t) => {
  const site = new Site(t);
  await site.run();
  const stop = new AbortController();
  const { readCount } = await site.pipeline().run({
    fresh: true,
    signal: stop.signal,
    onEvent: (event) => void (event.type === "changes" && stop.abort()),
  });
  assert.equal(readCount, 0);
  const { successCount, unchangedCount } = await site.pipeline().run();
  assert.deepEqual([successCount, unchangedCount], [5, 0]);
});

test("a mistake that no row was read with costs nothing", async (t) => {
  const site = new Site(t);
  await site.run();
  const { error } = await site.pipeline({ changes: { ...byColumn, column: "changed" } }).run();
  assert.equal(error?.code, "SOURCE_FAILED");
  assert.deepEqual((await site.run()).read, []);
});

test("a run without changes makes the next one with them read everything", async (t) => {
  const site = new Site(t);
  await site.run();
  await site.run({ changes: undefined, transform: (s) => `${s.raw.note}!` });
  assert.deepEqual((await site.run()).read, all);
  assert.equal(site.target[0], "r1 NOTE 1");
});

test("a pipeline that can't read changes is rejected before its first row, by run and check alike", async (t) => {
  const site = new Site(t);
  await rejectedAlike(site.pipeline({ changes: { ...byColumn, column: "changed" } }), "SOURCE_FAILED", {
    column: "changed",
    nearest: "changed_at",
  });
  await rejectedAlike(site.pipeline({ changes: { ...byColumn, column: "note" } }), "SOURCE_FAILED", {
    column: "note",
  });
});

test("changes need a journal, a sink that keeps rows, and a source that finds rows by key", async (t) => {
  const site = new Site(t);
  const source = new SQLiteSource<Row>({
    databasePath: site.path,
    sql: "SELECT * FROM source",
    primaryKeyColumn: "id",
    changes: byColumn,
  });
  const { find: _, ...memory } = new MemorySource<Row>({ rows: [{ id: "a" }], primaryKeyColumn: "id" });
  const options = { name: "rows", llmProvider: new MockProvider(), payloadLog: "off" } as const;
  const columnMap = { id: (s: { readonly pk: string }) => s.pk };
  const table = new SQLiteSink({ databasePath: site.path, targetTable: "target", mergeKeys: ["id"], columnMap });
  const file = new CSVSink({ filePath: join(temporaryFolder(t), "out.csv"), columnMap });
  const journal = new SQLiteJournal({ path: site.journalPath });
  const cases = [
    [new Pipeline({ ...options, source, journal: "off" }).to(table), "INVALID_OPTION"],
    [new Pipeline({ ...options, source, journal }).to(file), "INVALID_OPTION"],
    [
      new Pipeline<Row>({ ...options, source: { ...memory, changes: source.changes }, journal }).to(table),
      "SOURCE_FAILED",
    ],
  ] as const;
  for (const [pipeline, code] of cases) {
    await assert.rejects(pipeline.run(), failsWith(code, {}));
    const { findings } = await pipeline.check();
    assert.ok(findings.some((finding) => finding.status === "problem" && finding.code === code));
  }
});

test("a run of another pipeline that came nowhere leaves nothing behind: the one before reads everything again", async (t) => {
  const site = new Site(t);
  await site.run();
  const stop = new AbortController();
  const other = site.pipeline({
    transform: async (s, { signal }) => {
      if (s.pk === "r1") await new Promise((_, reject) => signal.addEventListener("abort", reject));
      return `${s.raw.note}!`;
    },
  });
  await other.run({
    stopNowSignal: stop.signal,
    onEvent: (event) => void (event.type === "row-end" && event.outcome === "written" && stop.abort()),
  });
  assert.equal(site.target[1], "r2 note 2!");
  assert.deepEqual((await site.run()).read, all);
  assert.equal(site.target[1], "r2 NOTE 2");
});

interface AskingOptions {
  readonly prompt?: string;
  readonly limit?: number;
  readonly model?: string;
  readonly input?: (state: { readonly raw: Row }) => string | null;
  readonly temperature?: number;
  readonly rowSchema?: z.ZodType<Row>;
  readonly onRowError?: "fail" | "dead_letter";
  readonly answer?: () => object;
  readonly when?: (state: { readonly raw: Row }) => boolean;
  readonly example?: string;
  readonly choose?: () => string;
}

/** A pipeline whose step asks a model, with each of its settings. */
function asking(
  site: Site,
  {
    prompt = "Say the tone.",
    limit = 20,
    model = "one",
    input = (s) => s.raw.note,
    temperature = 0,
    rowSchema = z.object({ id: z.string(), note: z.string().nullable() }),
    onRowError = "fail",
    answer = () => ({ reasoning: "", tone: "calm" }),
    when = () => true,
    example = "mild",
    choose = () => "usual",
  }: AskingOptions = {},
) {
  const llmProvider = new MockProvider({ model, responses: () => JSON.stringify(answer()) });
  return new Pipeline({
    name: "rows",
    source: new SQLiteSource({
      databasePath: site.path,
      sql: "SELECT * FROM source",
      primaryKeyColumn: "id",
      changes: byColumn,
      schema: rowSchema,
    }),
    llmProvider,
    payloadLog: "off",
    flushIntervalMs: 1,
    journal: new SQLiteJournal({ path: site.journalPath }),
    onRowError,
    ...(onRowError === "dead_letter" && { deadLetterPath: `${site.path}.failed.jsonl` }),
  })
    .step(
      new LLMStep({
        name: "tone",
        prompt,
        temperature,
        schema: LLMOutputBase.extend({ tone: z.string().max(limit) }),
        inputMap: { text: input },
        when,
        examples: [{ input: { text: "fine" }, output: { reasoning: "", tone: example } }],
        llmProviders: { usual: llmProvider, other: llmProvider },
        llmProvider: choose,
        outputKey: "tone",
        maxRetries: 0,
      }),
    )
    .to(
      new SQLiteSink({
        databasePath: site.path,
        targetTable: "target",
        mergeKeys: ["id"],
        columnMap: { id: (s) => s.pk, note: (s) => s.processed.tone?.tone },
      }),
    );
}

const asked: Readonly<Record<string, AskingOptions>> = {
  prompt: { prompt: "Say the tone of it." },
  model: { model: "two" },
  "input map": { input: (s) => `${s.raw.note}` },
  temperature: { temperature: 1 },
  when: { when: (s) => s.raw.id !== "r9" },
  examples: { example: "kind" },
  "choice of a model": { choose: () => "other" },
  schema: { limit: 30 },
  "row's schema": { rowSchema: z.object({ id: z.string(), note: z.string().trim().nullable() }) },
};

for (const [name, options] of Object.entries(asked)) {
  test(`everything is read after a change of the ${name} of a step that asks a model`, async (t) => {
    const site = new Site(t);
    assert.equal((await asking(site).run()).readCount, 5);
    assert.equal((await asking(site).run()).readCount, 0);
    const { readCount, changes } = await asking(site, options).run();
    assert.deepEqual([readCount, changes?.reasons.length], [5, 1]);
  });
}

test("everything is read after a change of what the target's columns hold: a taxonomy may stand there", async (t) => {
  const site = new Site(t);
  const allow = (tones: string): void =>
    site.change(`ALTER TABLE target RENAME TO before;
      CREATE TABLE target (id TEXT PRIMARY KEY, note TEXT CHECK (note IN (${tones})));
      INSERT INTO target SELECT * FROM before; DROP TABLE before`);
  allow("'calm', 'angry'");
  assert.equal((await asking(site).run()).readCount, 5);
  assert.equal((await asking(site).run()).readCount, 0);
  allow("'calm', 'angry', 'sad'");
  const { readCount, changes } = await asking(site).run();
  assert.deepEqual([readCount, changes?.reasons.length], [5, 1]);
  assert.equal((await asking(site).run()).readCount, 0);
});

test("a row that a replay has written is due no more", async (t) => {
  const site = new Site(t);
  let isBroken = true;
  const answer = (): object => (isBroken ? { no: "tone" } : { reasoning: "", tone: "calm" });
  const pipeline = asking(site, { onRowError: "dead_letter", answer });
  const first = await pipeline.run({ maxRowErrors: "never" });
  assert.equal(first.failureCount, 5);
  isBroken = false;
  assert.equal((await pipeline.replay()).successCount, 5);
  const { readCount, changes } = await pipeline.run();
  assert.deepEqual([readCount, changes?.rows, changes?.dueCount], [0, "changes", 0]);
});

/** Has people decide on the outputs of these rows, or take that back. */
async function decide(site: Site, decisions: Readonly<Record<string, string | undefined>>): Promise<void> {
  const { signal } = new AbortController();
  const session = await new SQLiteJournal({ path: site.journalPath }).open(
    { ...runFacts("deciding"), pipeline: "rows" },
    signal,
  );
  const on = { pipeline: "rows", step: "note", reviewer: null, decidedAt: new Date(0) }; // its clock may be anything
  const decided = Object.entries(decisions).map(([pk, output]) => ({ pk, inputHash: `hash of ${pk}`, output }));
  const isTakenBack = ({ output }: { readonly output?: string | undefined }): boolean => output === undefined;
  await session.overrides.save(
    decided
      .filter((each) => !isTakenBack(each))
      .map((each) => ({ ...on, ...each, output: JSON.stringify(each.output) })),
  );
  const takenBack = decided.filter(isTakenBack).map(({ inputHash }) => inputHash);
  await session.overrides.forget("rows", "note", takenBack);
  await session.close();
}

test("rows on whose outputs a person decided since are due, each once", async (t) => {
  const site = new Site(t);
  await decide(site, { r1: "before the first run" });
  await site.run();
  assert.deepEqual((await site.run()).read, []);
  await decide(site, { r2: "A", r4: "B", gone: "C" });
  const { read, changes } = await site.run();
  assert.deepEqual([read, changes?.rows, changes?.dueCount], [["r2", "r4"], "changes", 3]);
  assert.deepEqual((await site.run()).read, []);
  await decide(site, { r1: "another", r2: undefined, r3: "D", r4: "B" });
  assert.deepEqual((await site.run({}, { limit: 1 })).read.length, 1);
  const rest = await site.run();
  assert.deepEqual([rest.read.length, rest.changes?.dueCount], [2, 2]);
  site.put("r3", "bad", minute(3)); // at the time that it had
  await decide(site, { r3: "E" });
  assert.deepEqual((await site.run()).read, ["r3 skipped"]);
  assert.deepEqual((await site.run()).read, ["r3 skipped"]);
  site.put("r3", "good", minute(3));
  assert.deepEqual((await site.run()).read, ["r3"]);
  assert.deepEqual((await site.run()).changes?.dueCount, 0);
});

test("where people decided on more rows than are read by key, everything is read, and said so", async (t) => {
  const site = new Site(t);
  await site.run();
  const names = Array.from({ length: 10_001 }, (_, index) => `other ${index}`);
  await decide(site, { r1: "A", ...Object.fromEntries(names.slice(0, 9_999).map((name) => [name, "B"])) });
  assert.deepEqual((await site.run()).read, ["r1"]);
  await decide(site, Object.fromEntries(names.map((name) => [name, "C"])));
  const { read, changes } = await site.run();
  assert.deepEqual([read, changes?.rows, changes?.reasons.length], [all, "all", 1]);
  assert.deepEqual((await site.run()).read, []);
});

test("everything is read after an upgrade of llm-etl, and said so", async (t) => {
  const site = new Site(t);
  await site.run();
  const version = "the version of llm-etl";
  const basis: unknown = JSON.parse(String(query(site.journalPath, "SELECT basis FROM watermarks")[0]?.["basis"]));
  assert.ok(Array.isArray(basis) && basis.some(([part]: unknown[]) => part === version));
  const earlier = basis.map(([part, digest]: unknown[]) => [part, part === version ? "0.0.1" : digest]);
  execute(site.journalPath, `UPDATE watermarks SET basis = '${JSON.stringify(earlier).replaceAll("'", "''")}'`);
  const { read, changes } = await site.run();
  assert.deepEqual([read, changes?.reasons], [all, [`${version} changed`]]);
});

class Once implements Step<GlobalState<Row>, "note", string> {
  readonly name = "note";
  readonly outputKey = "note";
  readonly run = async (state: GlobalState<Row>): Promise<string> => await Promise.resolve(this.textOf(state));

  textOf(state: GlobalState<Row>): string {
    return `${state.raw.note}`;
  }
}

class Twice extends Once {
  override textOf(state: GlobalState<Row>): string {
    return `${state.raw.note} ${state.raw.note}`;
  }
}

test("everything is read after a change of a method of a step's class", async (t) => {
  const site = new Site(t);
  await site.run({ step: new Once() });
  assert.deepEqual((await site.run({ step: new Once() })).read, []);
  assert.deepEqual((await site.run({ step: new Twice() })).read, all);
});
