import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import {
  type CheckReport,
  ClassifierStep,
  type GlobalState,
  type LLMProvider,
  Pipeline,
  type PipelineOptions,
  type RowSchema,
  type RunnablePipeline,
  type Sink,
  type Source,
  SummarizerStep,
  TransformStep,
} from "../../src/index.ts";
import { AzureOpenAIProvider } from "../../src/llm/providers/azure-openai.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { simulatorFor } from "../support/simulator.ts";
import { startTargetServer } from "../support/sql-server-target.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Visit {
  readonly id: string;
  readonly note: string;
}
type VisitState = GlobalState<Visit, { readonly kind: { readonly category: string } }>;

const parent = temporaryFolder();
const freshFolder = (): string => mkdtempSync(join(parent, "of "));
const columnMap = { id: (s: VisitState) => s.pk, kind: (s: VisitState) => s.processed.kind.category };

/** A database with a table of notes, and one with that target table. */
function databasesIn(folder: string, target = "CREATE TABLE kinds (id TEXT PRIMARY KEY, kind VARCHAR(20))") {
  const paths = { source: join(folder, "source.db"), target: join(folder, "target.db") };
  for (const [path, sql] of [
    [
      paths.source,
      "CREATE TABLE notes (id TEXT, note TEXT); INSERT INTO notes VALUES ('v1', 'Sudden pain.'), ('v2', 'A check.')",
    ],
    [paths.target, target],
  ] as const) {
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
  }
  return paths;
}

interface Given extends Partial<PipelineOptions<Visit>> {
  readonly sink?: Sink<VisitState>;
  readonly target?: string;
  readonly schema?: RowSchema<Visit>;
}

/** Notes from SQLite, classified, to SQLite, all of it in one folder; or what is given. */
function pipelineIn(folder: string, { sink, target, schema, ...options }: Given = {}): RunnablePipeline {
  const { source, target: databasePath } = databasesIn(folder, target);
  return new Pipeline<Visit>({
    name: "visits",
    source: new SQLiteSource<Visit>({
      ...{ databasePath: source, sql: "SELECT * FROM notes ORDER BY id", primaryKeyColumn: "id", schema },
    }),
    llmProvider: new MockProvider(),
    payloadLogPath: join(folder, "logs", "payloads.jsonl"),
    ...(options.journal === "off" ? {} : { journal: new SQLiteJournal({ path: join(folder, "journal.db") }) }),
    ...options,
  })
    .step(kindStep)
    .to(sink ?? new SQLiteSink({ databasePath, targetTable: "kinds", mergeKeys: ["id"], columnMap }));
}

const kindStep = new ClassifierStep({
  name: "kind",
  taxonomy: [
    { name: "Emergency", definition: "sudden pain" },
    { name: "Routine", definition: "a yearly check" },
  ],
  inputMap: { text: (s: GlobalState<Visit>) => s.raw.note },
  outputKey: "kind",
});

/** A provider that counts its calls. */
function counting(): LLMProvider & { readonly callCount: () => number } {
  let calls = 0;
  const mock = new MockProvider();
  return {
    name: "counting",
    fingerprint: mock.fingerprint,
    callCount: () => calls,
    complete: async (request, signal) => {
      calls += 1;
      return await mock.complete(request, signal);
    },
  };
}

/** Path, time and content of every file and folder below. */
function everythingIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const entry = statSync(join(folder, name));
      const content = entry.isFile()
        ? createHash("sha256")
            .update(readFileSync(join(folder, name)))
            .digest("hex")
        : "";
      return `${name} ${entry.mtimeMs} ${content}`;
    });
}

/** What was found that is not in order, in one line each. */
function troubles({ findings }: CheckReport): readonly string[] {
  return findings
    .filter(({ status }) => status !== "ok")
    .map(({ subject, status, code }) => [subject, status, ...(code === undefined ? [] : [code])].join(" "));
}

function messageOf({ findings }: CheckReport, subject: string, status = "problem"): string {
  return findings.find((found) => found.subject === subject && found.status === status)?.message ?? "";
}

function setVariables(t: TestContext, values: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    t.after(() => (before === undefined ? delete process.env[name] : (process.env[name] = before)));
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

test("where all is in order nothing is written and no call is made, before the first run and after it", async () => {
  const folder = freshFolder();
  const llmProvider = counting();
  const pipeline = pipelineIn(folder, {
    llmProvider,
    onRowError: "dead_letter",
    deadLetterPath: join(folder, "failed"),
  });
  const untouched = everythingIn(folder);
  const before = await pipeline.check();
  assert.deepEqual([before.wouldRun, troubles(before), llmProvider.callCount()], [true, [], 0]);
  assert.deepEqual(everythingIn(folder), untouched);
  assert.match(messageOf(before, "journal", "ok"), /journal\.db, which is not there yet$/);
  const report = await pipeline.run();
  assert.deepEqual([report.successCount, llmProvider.callCount()], [2, 2]);
  const afterRun = everythingIn(folder);
  const after = await pipeline.check();
  assert.deepEqual([after.wouldRun, troubles(after), llmProvider.callCount()], [true, [], 2]);
  assert.deepEqual(everythingIn(folder), afterRun);
  assert.match(messageOf(after, "journal", "ok"), /: 2 rows written to this sink; last run 20.*Z, completed$/);
});

test("it tells the row's columns, the target, its limits and the prompt; content stands in the messages alone", async () => {
  const report = await pipelineIn(freshFolder()).check({ prompts: true });
  assert.equal(messageOf(report, "source sqlite", "ok"), "row 1 is there: id (text), note (text)");
  assert.match(messageOf(report, "sink sqlite", "ok"), /target\.db\/kinds takes id, kind$/);
  assert.equal(messageOf(report, "limits of kind", "ok"), "category at most 20 characters (column kind)");
  assert.match(report.prompts[0]?.messages?.[1]?.content ?? "", /Sudden pain\./);
  assert.ok(!JSON.stringify(report.findings).includes("Sudden pain"));
  const hidden = await pipelineIn(freshFolder()).check();
  assert.ok(!JSON.stringify(hidden).includes("Sudden pain"));
  assert.equal(hidden.prompts.length, 1);
  const redacted = await pipelineIn(freshFolder(), { redact: (text) => text.replaceAll("Sudden", "▒") }).check({
    prompts: true,
  });
  assert.match(redacted.prompts[0]?.messages?.[1]?.content ?? "", /▒ pain\./);
});

test("all that is wrong is told at once", async (t) => {
  const unset = {
    AZURE_OPENAI_ENDPOINT: undefined,
    AZURE_OPENAI_API_KEY: undefined,
    AZURE_OPENAI_DEPLOYMENT: undefined,
  };
  setVariables(t, { ...unset, AZURE_OPENAI_DEPLOYMENT: "secret-name" });
  const folder = freshFolder();
  writeFileSync(join(folder, "file"), "");
  const report = await pipelineIn(folder, {
    llmProvider: new AzureOpenAIProvider(),
    target: "CREATE TABLE other (id TEXT)",
    source: new MemorySource<Visit>({
      rows: () => {
        throw new TypeError("broken");
      },
      primaryKeyColumn: "id",
    }),
    payloadLogPath: join(folder, "file", "log"),
    journal: new SQLiteJournal({ path: join(folder, "file", "journal") }),
    maxCost: 1,
  }).check();
  assert.equal(report.wouldRun, false);
  assert.deepEqual(troubles(report), [
    "AZURE_OPENAI_ENDPOINT problem SETTING_MISSING",
    "AZURE_OPENAI_API_KEY problem SETTING_MISSING",
    "provider azure-openai problem SETTING_MISSING",
    "prices problem INVALID_OPTION",
    "source memory problem SOURCE_FAILED",
    "journal problem JOURNAL_FAILED",
    "sink sqlite problem TARGET_MISMATCH",
    "payload log problem PAYLOAD_LOG_FAILED",
    "prompt of kind not checked",
  ]);
  assert.equal(messageOf(report, "AZURE_OPENAI_DEPLOYMENT", "ok"), "set");
  assert.ok(!JSON.stringify(report).includes("secret-name"));
});

const targets: Readonly<Record<string, readonly [sql: string, message: RegExp]>> = {
  "a table that is missing": ["CREATE TABLE other (id TEXT)", /kinds/],
  "a column that is missing": ["CREATE TABLE kinds (id TEXT PRIMARY KEY, sort TEXT)", /"kind"/],
  "merge keys without a unique index": ["CREATE TABLE kinds (id TEXT, kind TEXT)", /unique index/],
  "a column that can't hold a choice": ["CREATE TABLE kinds (id TEXT PRIMARY KEY, kind VARCHAR(8))", /"Emergency"/],
};

for (const [fault, [target, message]] of Object.entries(targets)) {
  test(`${fault} is found as by a run`, async () => {
    const pipeline = pipelineIn(freshFolder(), { target, journal: "off" });
    const report = await pipeline.check();
    const [found, ...others] = report.findings.filter(({ status }) => status === "problem");
    assert.deepEqual([found?.area, found?.code, others], ["sink", "TARGET_MISMATCH", []]);
    assert.match(found?.message ?? "", message);
    await assert.rejects(pipeline.run(), { message: found?.message ?? "" });
  });
}

test("a target that was emptied behind the journal's back is found, and what to do about it", async () => {
  const folder = freshFolder();
  const pipeline = pipelineIn(folder);
  await pipeline.run();
  const database = new DatabaseSync(join(folder, "target.db"));
  database.exec("DELETE FROM kinds");
  database.close();
  const report = await pipeline.check();
  assert.deepEqual(troubles(report), ["rows written before problem TARGET_MISMATCH"]);
  assert.match(messageOf(report, "rows written before"), /is empty, but the journal has rows.*--fresh/s);
});

test("a first row that the schema refuses is a problem where rows must not fail, a warning where they may", async () => {
  const schema = z.object({ id: z.string(), note: z.string().max(5, "Sudden pain. is too long") });
  const failing = await pipelineIn(freshFolder(), { schema }).check();
  assert.deepEqual(troubles(failing), ["first row problem ROW_SCHEMA_MISMATCH", "prompt of kind not checked"]);
  assert.match(messageOf(failing, "first row"), /^row 1: note: /);
  assert.ok(!JSON.stringify(failing).includes("Sudden"));
  const skipping = await pipelineIn(freshFolder(), { schema, onRowError: "skip" }).check();
  assert.deepEqual(troubles(skipping)[0], "first row warning ROW_SCHEMA_MISMATCH");
  assert.equal(skipping.wouldRun, true);
});

test("one row is asked of the source, with the parameters, and reading ends", async () => {
  let given = 0;
  let isEnded = false;
  let seen: unknown;
  const source: Source<Visit> = {
    name: "endless",
    primaryKeyColumn: "id",
    read: async function* read({ parameters }) {
      seen = parameters;
      try {
        for (;;) {
          given += 1;
          yield { position: given, raw: { id: `v${given}`, note: "Pain." } };
        }
      } finally {
        isEnded = true;
      }
    },
  };
  const report = await pipelineIn(freshFolder(), { source }).check({ parameters: { department: "ER" } });
  assert.deepEqual([report.wouldRun, given, isEnded, seen], [true, 1, true, { department: "ER" }]);
});

test("a source without rows is a warning, one that refuses its parameters a problem", async () => {
  const source = new MemorySource<Visit>({ rows: [], primaryKeyColumn: "id" });
  const empty = await pipelineIn(freshFolder(), { source }).check();
  assert.deepEqual([empty.wouldRun, ...troubles(empty)], [true, "source memory warning", "prompt of kind not checked"]);
  const refusing = await pipelineIn(freshFolder(), { source }).check({ parameters: { no: 1 } });
  assert.deepEqual(troubles(refusing)[0], "source memory problem SOURCE_FAILED");
});

test("a run that has the journal is a problem that names its process; the check leaves it alone", async () => {
  const folder = freshFolder();
  const pipeline = pipelineIn(folder);
  let during: CheckReport | undefined;
  const transform = async (): Promise<void> => {
    during ??= await pipeline.check();
  };
  const { source } = databasesIn(join(freshFolder()));
  const running = new Pipeline<Visit>({
    ...{ name: "visits", llmProvider: new MockProvider(), payloadLog: "off" },
    journal: new SQLiteJournal({ path: join(folder, "journal.db") }),
    source: new SQLiteSource<Visit>({ databasePath: source, sql: "SELECT * FROM notes", primaryKeyColumn: "id" }),
  })
    .step(new TransformStep({ name: "look", outputKey: "look", transform }))
    .to(new CSVSink({ filePath: join(folder, "out.csv"), columnMap: { id: (s) => s.pk } }));
  assert.equal((await running.run()).successCount, 2);
  assert.ok(during !== undefined);
  assert.deepEqual([during.wouldRun, ...troubles(during)], [false, "journal problem JOURNAL_IN_USE"]);
  assert.match(messageOf(during, "journal", "problem"), new RegExp(`in use by process ${process.pid} on .*wait until`));
});

test("a CSV file's path is looked at, and neither folder, file nor lock is made", async () => {
  const folder = freshFolder();
  const sinkAt = (path: string): Sink<VisitState> => new CSVSink({ filePath: path, columnMap });
  const pipeline = pipelineIn(folder, { sink: sinkAt(join(folder, "new", "out.csv")) });
  const before = everythingIn(folder);
  assert.deepEqual(troubles(await pipeline.check()), []);
  assert.deepEqual(everythingIn(folder), before);
  writeFileSync(join(folder, "file"), "");
  const below = pipelineIn(freshFolder(), { sink: sinkAt(join(folder, "file", "out.csv")) });
  assert.deepEqual(troubles(await below.check()), ["sink csv problem SINK_FAILED"]);
});

const kindsTable = "CREATE TABLE dbo.kinds (id NVARCHAR(40) NOT NULL PRIMARY KEY, kind NVARCHAR(12) NOT NULL)";
const notesTable = "CREATE TABLE dbo.notes (id NVARCHAR(40) NOT NULL PRIMARY KEY, note NVARCHAR(200) NOT NULL)";
const someNotes = "INSERT INTO dbo.notes (id, note) VALUES ('v1', 'Sudden pain.'), ('v2', 'A check.')";

/** From SQL Server to SQL Server, by the variable or the connection string. */
function serverPipeline(connectionString?: string): RunnablePipeline {
  return new Pipeline<Visit>({
    name: "visits",
    ...{ llmProvider: new MockProvider(), journal: "off", payloadLog: "off" },
    source: new SQLServerSource<Visit>({
      ...{ connectionString, sql: "SELECT id, note FROM dbo.notes ORDER BY id", primaryKeyColumn: "id" },
    }),
  })
    .step(kindStep)
    .step(
      new SummarizerStep({
        ...{ name: "summary", inputMap: { text: (s: VisitState) => s.raw.note }, outputKey: "summary" },
      }),
    )
    .to(new SQLServerSink({ connectionString, targetTable: "dbo.kinds", mergeKeys: ["id"], columnMap }));
}

test("SQL Server: driver, connection, first row, target and limits; no row is written", async (t) => {
  const server = await startTargetServer({ sql: `${kindsTable}; ${notesTable}; ${someNotes}` }, t);
  setVariables(t, { SQL_SERVER_CONN: server.connectionString });
  const report = await serverPipeline().check();
  assert.deepEqual(troubles(report), []);
  assert.match(messageOf(report, "package mssql", "ok"), /^12\./);
  assert.equal(messageOf(report, "SQL_SERVER_CONN", "ok"), "set");
  assert.match(messageOf(report, "source sql-server", "ok"), /^row 1 is there: id \(text\), note \(text\)$/);
  assert.equal(messageOf(report, "limits of kind", "ok"), "category at most 12 characters (column kind)");
  assert.deepEqual(server.table("dbo.kinds").rows(), []);
  while (server.connections() > 0) await setTimeout(5); // or the test times out: none stays open
  assert.ok(!JSON.stringify(report).includes("Pa;ss"));
});

test("SQL Server: a variable that is missing, and a server that is not there", async (t) => {
  setVariables(t, { SQL_SERVER_CONN: undefined });
  const unset = await serverPipeline().check();
  assert.deepEqual(troubles(unset).slice(0, 3), [
    "SQL_SERVER_CONN problem SETTING_MISSING",
    "source sql-server problem SETTING_MISSING",
    "sink sql-server problem SETTING_MISSING",
  ]);
  const server = await startTargetServer({ sql: kindsTable }, t);
  await server.close();
  const unreachable = await serverPipeline(server.connectionString).check();
  assert.deepEqual(troubles(unreachable).slice(0, 2), [
    "source sql-server problem SOURCE_FAILED",
    "sink sql-server problem SINK_FAILED",
  ]);
  assert.match(messageOf(unreachable, "sink sql-server"), /ECONNREFUSED/);
  assert.ok(!unreachable.findings.some(({ subject }) => subject === "SQL_SERVER_CONN"), "the option takes its place");
});

test("a ping finds a deployment that is not there, and tells what one that is there gave", async (t) => {
  const simulator = await simulatorFor(t, { deployments: ["gpt"], apiKeys: ["key"] });
  const prices = { inputPerMillion: 2, cachedInputPerMillion: 1, outputPerMillion: 8, currency: "USD" };
  const at = (deployment: string): LLMProvider =>
    new AzureOpenAIProvider({ endpoint: simulator.url, apiKey: "key", deployment, prices });
  const quiet = await pipelineIn(freshFolder(), { llmProvider: at("gtp") }).check();
  assert.deepEqual([troubles(quiet), simulator.statistics().requests], [[], 0]);
  const missing = await pipelineIn(freshFolder(), { llmProvider: at("gtp") }).check({ ping: true });
  assert.deepEqual([missing.wouldRun, ...troubles(missing)], [false, "step kind problem DEPLOYMENT_NOT_FOUND"]);
  const there = await pipelineIn(freshFolder(), { llmProvider: at("gpt") }).check({ ping: true });
  assert.deepEqual([there.wouldRun, ...troubles(there)], [true]);
  assert.equal(simulator.statistics().requests, 2);
  const { cost } = there.prompts[0]?.ping ?? {};
  assert.ok(cost?.currency === "USD" && cost.amount > 0);
  const found = there.findings.find(({ area }) => area === "ping");
  assert.match(found?.message ?? "", /gave a valid answer in \d+ ms: \d+ input tokens, \d+ output tokens, 0\.\d+ USD$/);
});

test("a wrong option is refused, and an abort ends the check with its reason", async () => {
  const pipeline = pipelineIn(freshFolder());
  // As a JavaScript user could, without the types.
  await assert.rejects(pipeline.check({ pings: true } as never), { code: "INVALID_OPTION" });
  const reason = new Error("enough");
  await assert.rejects(pipeline.check({ signal: AbortSignal.abort(reason) }), reason);
  const stop = new AbortController();
  const source: Source<Visit> = {
    ...{ name: "hangs", primaryKeyColumn: "id" },
    read: async function* read({ signal }) {
      stop.abort(reason);
      signal.throwIfAborted();
      yield { position: 1, raw: {} };
    },
  };
  await assert.rejects(pipelineIn(freshFolder(), { source }).check({ signal: stop.signal }), reason);
});

test("a typing mistake in the name of a CSV file's column is told with the closest name, which tells no more than what was written", async () => {
  const filePath = join(freshFolder(), "notes.csv");
  const closestTo = async (header: string, read: string): Promise<unknown> => {
    writeFileSync(filePath, `${header}\n1,x,y\n`);
    const report = await new Pipeline<Record<string, string>>({
      ...{ name: "csv", source: new CSVSource({ filePath, primaryKeyColumn: "id" }), llmProvider: new MockProvider() },
      ...{ journal: "off", payloadLog: "off" },
    })
      .to(new MemorySink({ columnMap: { id: (s) => s.pk, x: (s) => s.raw[read] } }))
      .check();
    const { facts } = report.findings.find(({ code }) => code === "MAP_MISMATCH") ?? {};
    return facts?.["closest"] ?? facts?.["column"];
  };
  assert.equal(await closestTo("id,note,other", "noet"), "note");
  assert.equal(await closestTo("id,Jane,other", "name"), 2);
  assert.equal(await closestTo("id,price,amount", "note"), undefined);
});

test("of a CSV file only columns are named that the pipeline names, too: without a header they are its first row", async () => {
  const folder = freshFolder();
  const filePath = join(folder, "notes.csv");
  const csvPipeline = (content: string, primaryKeyColumn = "id"): RunnablePipeline => {
    writeFileSync(filePath, content);
    return new Pipeline({
      ...{ name: "csv", source: new CSVSource({ filePath, primaryKeyColumn }), llmProvider: new MockProvider() },
      ...{ journal: "off", payloadLog: "off" },
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [{ name: "Routine", definition: "a yearly check" }],
          inputMap: { text: (s: GlobalState<Record<string, string>>) => s.raw["note"] },
          outputKey: "kind",
        }),
      )
      .to(new MemorySink({ columnMap: { id: (s) => s.pk, all: (s) => Object.keys(s.raw).length } }));
  };
  const named = csvPipeline("id,note,Jane Doe\n1,A check.,x\n");
  const found = messageOf(await named.check(), "source csv", "ok");
  assert.equal(found, "row 1 is there: id (text), note (text), 1 that the pipeline does not name");
  const withoutHeader = "Jane Doe,nota bene\n1,A check.\n";
  for (const pipeline of [
    csvPipeline(withoutHeader),
    csvPipeline(withoutHeader, "Jane Do"),
    csvPipeline(withoutHeader, "Jane Doe"),
  ]) {
    const report = await pipeline.check();
    assert.equal(report.wouldRun, false);
    const json = JSON.stringify(report.findings).replaceAll('"Jane Doe"', ""); // the key, where the pipeline has it
    assert.doesNotMatch(json, /nota|Doe,/);
    const [outcome] = await Promise.allSettled([pipeline.run()]);
    const error: unknown = outcome.status === "fulfilled" ? outcome.value.error : outcome.reason;
    assert.doesNotMatch(JSON.stringify(error), /nota bene/);
  }
});
