import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { z } from "zod";
import { ClassifierStep, ExtractorStep, type GlobalState, Pipeline, SummarizerStep } from "../src/index.ts";
import type { LLMRequest } from "../src/contracts/provider.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { SQLServerSink } from "../src/sinks/sql-server.ts";
import { SQLiteSink } from "../src/sinks/sqlite.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { failsWith } from "./support/error-facts.ts";
import { startTargetServer } from "./support/sql-server-target.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

interface Note {
  readonly id: string;
  readonly text: string;
}

const folder = temporaryFolder();
let count = 0;

type NoteState = GlobalState<Note>;

const kindOfCard = new ClassifierStep({
  name: "kind",
  taxonomy: [
    { name: "Card", definition: "A lost card" },
    { name: "Transfer", definition: "Money sent" },
  ],
  inputMap: { text: (s: NoteState) => s.raw.text },
  outputKey: "kind",
});
const summary = new SummarizerStep({
  name: "summary",
  inputMap: { text: (s: NoteState) => s.raw.text },
  outputKey: "summary",
});

/** Runs one note into a table of these columns, with these summaries as answers; answers of earlier runs are reused. */
async function summarize(columns: string, summaries: readonly string[], journalPath?: string) {
  const databasePath = join(folder, `${(count += 1)}.db`);
  const database = new DatabaseSync(databasePath);
  database.exec(`CREATE TABLE summaries (id TEXT PRIMARY KEY, kind TEXT, ${columns})`);
  const requests: LLMRequest[] = [];
  const answers = [...summaries];
  const llmProvider = new MockProvider({
    responses: (request) => {
      if (request.schema.name !== "summary") return undefined;
      requests.push(request);
      return { json: { reasoning: "So.", text: answers.shift() ?? assert.fail("one call too many") } };
    },
  });
  const source = new MemorySource<Note>({ rows: [{ id: "1", text: "A card was lost" }], primaryKeyColumn: "id" });
  const journal = journalPath === undefined ? { journal: "off" as const } : { journalPath };
  const report = await new Pipeline<Note>({ name: "limits", source, llmProvider, payloadLog: "off", ...journal })
    .step(kindOfCard)
    .step(summary)
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "summaries",
        mergeKeys: ["id"],
        columnMap: {
          id: (s) => s.pk,
          kind: (s) => s.processed.kind.category,
          summary: (s) => s.processed.summary.text,
        },
      }),
    )
    .run();
  const written = database.prepare("SELECT summary FROM summaries").all();
  database.close();
  return { report, requests, written: written.map(({ summary }) => summary) };
}

test("a column's length reaches the model, and an answer that is too long for it is asked for again", async () => {
  for (const column of ["summary VARCHAR(20)", "summary TEXT CHECK (length(summary) <= 20)"]) {
    const long = "A card was lost, and nobody knows where";
    const { report, requests, written } = await summarize(column, [long, "A card was lost"]);
    assert.deepEqual(written, ["A card was lost"]);
    assert.deepEqual([report.successCount, report.usage.reAsks], [1, 1]);
    assert.match(JSON.stringify(requests[0]?.schema.json), /Limits: .*\\"maxLength\\":20\}/);
    assert.match(requests[1]?.messages.at(-1)?.content ?? "", /- text: must have at most 20 characters, got 39/);
  }
});

test("an answer that a run without the limit was given is reused if it fits, and asked for again if it does not", async () => {
  const journalPath = join(folder, "limits.journal.db");
  const text = "A card was lost";
  await summarize("summary TEXT", [text], journalPath);
  const wide = await summarize("summary VARCHAR(20)", [], journalPath);
  assert.deepEqual([wide.written, wide.requests.length], [[text], 0]);
  const narrow = await summarize("summary VARCHAR(10)", ["Card lost"], journalPath);
  assert.deepEqual([narrow.written, narrow.requests.length], [["Card lost"], 1]);
  assert.match(narrow.requests[0]?.messages.at(-1)?.content ?? "", /at most 10 characters, got 15/);
});

test("a category that its column can't hold refuses the run before the first call", async () => {
  await assert.rejects(
    summarize("summary TEXT, CHECK (length(kind) <= 6)", []),
    failsWith("TARGET_MISMATCH", { where: "kind", step: "kind", choice: "Transfer" }),
  );
});

test("SQL Server's NVARCHAR(100), DECIMAL(3,2) and NVARCHAR(500) reach the model, and nothing is sent that would be refused", async (t) => {
  const server = await startTargetServer(
    {
      sql: `CREATE TABLE dbo.enriched (id VARCHAR(20) NOT NULL PRIMARY KEY, category NVARCHAR(100) NOT NULL,
        confidence DECIMAL(3,2) NOT NULL, summary NVARCHAR(500) NOT NULL)`,
    },
    t,
  );
  const requests: LLMRequest[] = [];
  const llmProvider = new MockProvider({
    responses: (request) => {
      requests.push(request);
      if (request.schema.name === "kind") return { json: { reasoning: "So.", category: "Card", confidence: 0.876 } };
      return {
        json: { reasoning: "So.", text: request.messages.length === 2 ? "long ".repeat(120) : "A card was lost." },
      };
    },
  });
  const report = await new Pipeline<Note>({
    name: "limits",
    source: new MemorySource<Note>({ rows: [{ id: "1", text: "A card was lost" }], primaryKeyColumn: "id" }),
    llmProvider,
    ...{ payloadLog: "off", journal: "off" },
  })
    .step(kindOfCard)
    .step(summary)
    .to(
      new SQLServerSink({
        connectionString: server.connectionString,
        targetTable: "dbo.enriched",
        mergeKeys: ["id"],
        columnMap: {
          id: (s) => s.pk,
          category: (s) => s.processed.kind.category,
          confidence: (s) => s.processed.kind.confidence,
          summary: (s) => s.processed.summary.text,
        },
      }),
    )
    .run();
  assert.deepEqual([report.status, report.successCount, report.usage.reAsks], ["completed", 1, 1]);
  assert.deepEqual(server.table("dbo.enriched").rows(), [
    { id: "1", category: "Card", confidence: "0.88", summary: "A card was lost." },
  ]);
  const [first, second, again] = requests;
  assert.match(JSON.stringify(first?.schema.json), /Limits: \{\\"minimum\\":0,\\"maximum\\":1\}/); // the schema's own are tighter
  assert.match(JSON.stringify(second?.schema.json), /\\"maxLength\\":500/);
  assert.match(again?.messages.at(-1)?.content ?? "", /- text: .*500.*600/);
  const refused = server.statements.filter(({ text }) => /ROLLBACK/.test(text));
  assert.equal(refused.length, 1, "of the preflight"); // which takes its empty batch back
});

test("a column that replaces NULL by a text of its own limits no answer to what is not NULL", async () => {
  const databasePath = join(folder, "replaced.db");
  const database = new DatabaseSync(databasePath);
  database.exec("CREATE TABLE found (id TEXT PRIMARY KEY, due VARCHAR(10) NOT NULL)");
  const answers = [null, "a date that is too long", "2026-11-29"];
  const llmProvider = new MockProvider({
    responses: () => ({
      json: { reasoning: "So.", due: answers.length === 0 ? assert.fail("one call too many") : answers.shift() },
    }),
  });
  const rows = [
    { id: "1", text: "Nothing is due" },
    { id: "2", text: "Something is due" },
  ];
  const source = new MemorySource<Note>({ rows, primaryKeyColumn: "id" });
  const off = { journal: "off", payloadLog: "off", concurrency: 1 } as const;
  const report = await new Pipeline<Note>({ name: "replaced", source, llmProvider, ...off })
    .step(
      new ExtractorStep({
        name: "due",
        outputKey: "due",
        inputMap: { text: (s: NoteState) => s.raw.text },
        schema: z.object({ due: z.string().nullable() }),
      }),
    )
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "found",
        mergeKeys: ["id"],
        columnMap: { id: (s) => s.pk, due: (s) => s.processed.due.due ?? "none" },
      }),
    )
    .run();
  assert.deepEqual([report.error, report.successCount, report.usage.reAsks], [null, 2, 1]);
  const written = database.prepare("SELECT due FROM found ORDER BY id").all();
  database.close();
  assert.deepEqual(
    written.map(({ due }) => due),
    ["none", "2026-11-29"],
  );
});

test("a list for a column of text is found before the first call, and stored as JSON where the column is declared so", async () => {
  for (const [type, code, written] of [
    ["TEXT", "TARGET_MISMATCH", []],
    ["JSON", null, ['["x"]']],
    ["TEXT CHECK (json_valid(tags))", null, ['["x"]']],
  ] as const) {
    const databasePath = join(folder, `${(count += 1)}.db`);
    const database = new DatabaseSync(databasePath);
    database.exec(`CREATE TABLE found (id TEXT PRIMARY KEY, tags ${type})`);
    let callCount = 0;
    const llmProvider = new MockProvider({
      responses: () => {
        callCount += 1;
        return { json: { reasoning: "So.", tags: ["x"] } };
      },
    });
    const source = new MemorySource<Note>({ rows: [{ id: "1", text: "A card" }], primaryKeyColumn: "id" });
    const pipeline = new Pipeline<Note>({ name: "tags", source, llmProvider, journal: "off", payloadLog: "off" })
      .step(
        new ExtractorStep({
          name: "tags",
          outputKey: "found",
          inputMap: { text: (s: NoteState) => s.raw.text },
          schema: z.object({ tags: z.array(z.string()).nullable() }),
        }),
      )
      .to(
        new SQLiteSink({
          databasePath,
          targetTable: "found",
          mergeKeys: ["id"],
          columnMap: { id: (s) => s.pk, tags: (s) => s.processed.found.tags },
        }),
      );
    const { wouldRun } = await pipeline.check();
    assert.equal(wouldRun, code === null);
    if (code === null) assert.equal((await pipeline.run()).error, null);
    else await assert.rejects(pipeline.run(), failsWith(code, { where: "tags", type: "an array" }));
    assert.equal(callCount, code === null ? 1 : 0);
    const rows = database.prepare("SELECT tags FROM found").all();
    assert.deepEqual(
      rows.map(({ tags }) => tags),
      written,
    );
    database.close();
  }
});

test("a limit of a column behind each reaches the field of the items: schema, re-ask with the item's place, and the row", async () => {
  const databasePath = join(folder, `${(count += 1)}.db`);
  new DatabaseSync(databasePath).exec(
    "CREATE TABLE lines (id TEXT, place INTEGER, article TEXT CHECK (article IN ('gloves', 'masks')), note VARCHAR(5), PRIMARY KEY (id, place))",
  );
  const requests: LLMRequest[] = [];
  const line = (article: string, note: string | null) => ({ article, note });
  const answers = [
    { reasoning: "So.", lines: [line("gloves", "ok"), line("masks", "too long"), line("boots", null)] },
    { reasoning: "So.", lines: [line("gloves", "ok"), line("masks", "short")] },
  ];
  const pipeline = new Pipeline<Note>({
    name: "lines",
    source: new MemorySource<Note>({ rows: [{ id: "1", text: "gloves and masks" }], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({
      responses: (request) => {
        requests.push(request);
        return { json: answers.shift() ?? assert.fail("one call too many") };
      },
    }),
    payloadLog: "off",
    journalPath: join(folder, `${count}.journal`),
  })
    .step(
      new ExtractorStep({
        name: "find",
        schema: z.object({ lines: z.array(z.object({ article: z.string(), note: z.string().nullable() })) }),
        inputMap: { text: (s: NoteState) => s.raw.text },
        outputKey: "found",
      }),
    )
    .each((s) => s.processed.found.lines, { key: (one, index) => `${one.article} ${index}` })
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "lines",
        mergeKeys: ["id", "place"],
        groupKey: ["id"],
        columnMap: { id: (s) => s.pk, place: (s) => s.index, article: (s) => s.item.article, note: (s) => s.item.note },
      }),
    );
  const { findings } = await pipeline.check();
  assert.ok(findings.some(({ message }) => /lines\[\]\.note at most 5 characters \(column note\)/.test(message)));
  requests.length = 0;
  const report = await pipeline.run();
  assert.partialDeepStrictEqual(report, { exitCode: 0, successCount: 1, writtenRowCount: 2 });
  const [first, second] = requests;
  const json = JSON.stringify(first?.schema.json);
  assert.match(json, /"enum":\["gloves","masks"\]/);
  assert.match(json, /maxLength\\":5/);
  const reAsk = second?.messages.at(-1)?.content ?? "";
  assert.match(reAsk, /lines\.1\.note/);
  assert.match(reAsk, /lines\.2\.article/);
});
