import assert from "node:assert/strict";
import { mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { z } from "zod";
import { decode } from "../../src/csv/decode.ts";
import { readHeader } from "../../src/csv/header.ts";
import { parseRows } from "../../src/csv/parse.ts";
import type { Parameters, Source } from "../../src/contracts/source.ts";
import { LLMEtlError } from "../../src/errors/llm-etl-error.ts";
import { SourceError } from "../../src/errors/source.ts";
import { Pipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { type Fail, openDatabase, requireDatabaseFile, requireWritable, setWAL } from "../../src/sqlite/open.ts";
import { MemorySink, MemorySource } from "../../src/testing/index.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { temporaryDatabase } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const owner = "CSVSource /data/rows.csv";

/** Reads a source to its end; the first row error ends it, too. */
async function readAll(source: Pick<Source<never>, "read">, parameters: Parameters = {}): Promise<void> {
  for await (const row of source.read({ signal: new AbortController().signal, parameters })) {
    if ("error" in row) throw row.error;
  }
}

async function* oneChunk(bytes: Uint8Array | string): AsyncGenerator<Buffer> {
  yield Buffer.from(bytes);
}

async function drain(values: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of values);
}

const decoding = (bytes: Uint8Array | string, encoding: string) => () =>
  drain(decode(oneChunk(bytes), encoding, owner));
const parsing = (text: string) => () =>
  drain(parseRows(oneChunk(text), { owner, delimiter: ",", quote: '"', skipLines: 0, maxRowBytes: 50 }));
const heading =
  (cells: readonly string[], rowNumberColumn?: string, primaryKeyColumn = "id") =>
  () =>
    readHeader(
      owner,
      { line: 1, lastLine: 1, cells, quoted: [], isUnclosed: cells.length === 0 },
      { primaryKeyColumn, rowNumberColumn, delimiter: ",", uniqueNames: false, onFound: () => {} },
    );

test("the sentences about CSV files", async (t) => {
  const headers: readonly (readonly string[])[] = [
    ["i\0d\0"],
    [],
    ["id", "\uFFFE"],
    ["id", "a", "a"],
    ["id", "__proto__"],
    ["id;text"],
    ["ID", "text"],
    ["what"],
  ];
  await assertSentences(t, [
    decoding(Buffer.from("\uFEFFid", "utf16le"), "utf-8"),
    decoding(Buffer.from([0xfe, 0xff, 0, 0x61]), "utf-8"),
    decoding("\uFEFFid", "windows-1252"),
    decoding(Buffer.from([0x61, 0x62, 0xff]), "utf-8"),
    decoding(Buffer.from([0x61, 0, 0x3d, 0xd8]), "utf-16le"),
    ...headers.map((cells) => heading(cells)),
    heading(["id", "number"], "number"),
    parsing('a\n"b'),
    parsing("b".repeat(60)),
    () => readAll(new CSVSource({ filePath: "/no such folder/rows.csv", primaryKeyColumn: "id" })),
    () => readAll(new CSVSource({ filePath: "/", primaryKeyColumn: "id" })),
    () => readAll(new CSVSource({ filePath: "/", primaryKeyColumn: "id" }), { since: 1, until: 2 }),
  ]);
});

test("the sentences about what is in a CSV file", async (t) => {
  const sentences: string[] = [];
  for (const content of [
    "",
    "id,text\n1\n",
    'id,text\n1,"a\nb",c\n',
    'id,text\n1,"a\n2,b\n',
    "id,text\n1,\u00ff\uFFFE\n",
  ]) {
    const path = join(mkdtempSync(join(folder, "csv ")), "rows.csv");
    writeFileSync(path, content);
    const encoding = content.includes("\uFFFE") ? "gbk" : "utf-8"; // of which UTF-8 is no text
    const error: unknown = await readAll(new CSVSource({ filePath: path, primaryKeyColumn: "id", encoding })).catch(
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof LLMEtlError)) throw new Error("no error", { cause: error });
    sentences.push(
      ...[error.message, `  detail: ${error.detail}`].map((text) => text.replaceAll(path, "/data/rows.csv")),
    );
  }
  t.assert.snapshot(sentences, { serializers: [(lines) => lines.join("\n")] });
});

test("the sentences about a SQLite database that can't be used", async (t) => {
  const place = temporaryFolder();
  const fail: Fail = (problem, options) => new SourceError("sqlite", problem, options);
  const written = (name: string, content: string): string => {
    writeFileSync(join(place, name), content);
    return join(place, name);
  };
  symlinkSync(join(place, "loop.db"), join(place, "loop.db"));
  const memory = new DatabaseSync(":memory:");
  memory.exec("PRAGMA query_only = ON");
  t.after(() => memory.close());
  await assertSentences(
    t,
    [
      () => requireDatabaseFile(join(place, "none.db"), fail),
      () => requireDatabaseFile(place, fail),
      () => requireDatabaseFile(join(place, "loop.db"), fail),
      () => openDatabase(written("notes.txt", "these are notes, and not a database at all\n".repeat(50)), true, fail),
      () => openDatabase(join(place, "none.db"), true, fail),
      () => setWAL(memory, ":memory:", fail),
      () => requireWritable(memory, ":memory:", fail),
    ],
    place,
  );
});

test("the sentences about a query of SQLite", async (t) => {
  const databasePath = temporaryDatabase(t, "CREATE TABLE visits (id, note); INSERT INTO visits VALUES (1, 'secret')");
  const reading =
    (sql: string, parameters: Parameters = {}) =>
    () =>
      readAll(new SQLiteSource<{ id: number }>({ databasePath, sql, primaryKeyColumn: "id" }), parameters);
  await assertSentences(t, [
    reading("SELECT id FROM visits\0"),
    reading("-- nothing"),
    reading("SELECT 1 AS id; SELECT 2 AS id"),
    reading("SELECT ? AS id"),
    reading("DELETE FROM visits"),
    reading("SELECT id FROM visitors"),
    reading("SELECT 1 AS id, 2 AS id"),
    reading("SELECT 1 AS idd"),
    reading("SELECT 1 AS what"),
    reading("SELECT json_extract('{}', note) AS id FROM visits"),
    reading("SELECT @id AS id"),
    reading("SELECT @id AS id", { id: 1, ids: 2 }),
    reading("SELECT @id AS id", { id: "\uD83D" }),
  ]);
});

test("the sentences about a query of SQL Server, before the server is asked", async (t) => {
  const options = { connectionString: "Server=x;User ID=u;Password=p", primaryKeyColumn: "id" } as const;
  const reading =
    (sql: string, parameters: Parameters = {}) =>
    () =>
      readAll(new SQLServerSource<{ id: number }>({ ...options, sql, paging: { keyColumn: "id" } }), parameters);
  const paged = "SELECT TOP (@page_size) id FROM t WHERE (@after IS NULL OR id > @after) ORDER BY id";
  await assertSentences(t, [
    reading("SELECT id FROM t WHERE id > @after ORDER BY id"),
    reading("SELECT TOP (@page_size) id FROM t WHERE id > @after"),
    reading(paged, { after: 5 }),
    reading(`${paged}; DELETE FROM t`),
    reading(paged, { afer: 5 }),
  ]);
});

test("the sentences about rows", async (t) => {
  const schema = z.object({
    id: z.unknown(),
    age: z.number().refine((age) => age !== 81, "must not be that of Jane Doe"),
    name: z.string(),
  });
  const fine = { age: 7, name: "n" };
  const rows = [
    { ...fine, id: "1" },
    { ...fine, id: undefined },
    ...[null, " ", { secret: 1 }, "1"].map((id) => ({ ...fine, id })),
    { id: "2", age: "secret" },
    { ...fine, id: "3", age: 81 },
  ];
  const sentences: string[] = [];
  const report = await new Pipeline({
    name: "rows",
    source: new MemorySource<{ id: unknown }>({ rows, primaryKeyColumn: "id", schema }),
    llmProvider: new MockProvider(),
    onRowError: "skip",
    ...{ journal: "off", payloadLog: "off", concurrency: 1 },
  })
    .to(new MemorySink({ columnMap: { id: (s) => s.pk } }))
    .run({
      onEvent: (event) => {
        if (event.type !== "row-end" || event.errorCode === null) return;
        sentences.push(`${event.errorCode} ${event.errorMessage}`);
      },
    });
  assert.deepEqual([report.successCount, sentences.length], [1, rows.length - 1]);
  t.assert.snapshot(sentences, { serializers: [(lines) => lines.join("\n")] });
});
