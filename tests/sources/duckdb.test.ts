import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { Parameters } from "../../src/contracts/source.ts";
import { loadDriver } from "../../src/duckdb/driver.ts";
import { LLMEtlError } from "../../src/errors/llm-etl-error.ts";
import { ClassifierStep, Pipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { DuckDBSource } from "../../src/sources/duckdb.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { execute, quoted, rawOf, reading, rowsOf, writeParquet } from "../support/duckdb.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const newFolder = (): string => mkdtempSync(join(folder, "it's "));

async function parquetOf(query: string): Promise<string> {
  const path = join(newFolder(), "rows.parquet");
  await writeParquet(path, query);
  return path;
}

async function errorOf(work: Promise<unknown>): Promise<LLMEtlError> {
  const error: unknown = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof LLMEtlError, String(error));
  return error;
}

const fourRows = await parquetOf(
  "SELECT * FROM (VALUES (1, 'one'), (2, 'a\nline'), (3, ''), (4, NULL)) AS t(id, text)",
);

describe("DuckDBSource keeps the contract of sources", () => {
  const path = fourRows;
  const rows = [
    { id: 1, text: "one" },
    { id: 2, text: "a\nline" },
    { id: 3, text: "" },
    { id: 4, text: null },
  ];
  const create = () => new DuckDBSource({ sql: `SELECT * FROM ${quoted(path)}`, primaryKeyColumn: "id" });
  const openCount = (): number =>
    readdirSync("/proc/self/fd").filter((fd) => {
      const link = join("/proc/self/fd", fd);
      return existsSync(link) && readlinkSync(link) === path;
    }).length;
  const onLinux = existsSync("/proc/self/fd");
  for (const { name, check } of sourceContract({ create, rows, ...(onLinux && { openCount }) })) test(name, check);
});

test("each scalar type is a plain value, and no digit is lost", async () => {
  const [row] = await rowsOf(`SELECT 1 AS id, TRUE AS yes, 9007199254740991 AS safe, 9007199254740993 AS big,
    170141183460469231731687303715884105727::HUGEINT AS huge, 18446744073709551615::UBIGINT AS unsigned, 0.1::DOUBLE AS double,
    12345678901234567890.1234567890::DECIMAL(38,10) AS exact, 1.50::DECIMAL(5,2) AS money, DATE '2026-01-02' AS day,
    TIME '09:30:00.000001' AS time, TIMESTAMP '2026-01-02 09:30:00.123456' AS moment, TIMESTAMP_NS '2026-01-02 09:30:00.123456789' AS nano,
    TIMESTAMPTZ '2026-01-02 09:30:00.123456+02' AS zoned, UUID '12345678-1234-1234-1234-1234567890AB' AS uuid,
    '\\x00\\xFFa'::BLOB AS bytes, 'b'::ENUM('a', 'b') AS choice, INTERVAL '1 month 2 days' AS span, 'x' || chr(0) || 'y' AS nul,
    'infinity'::TIMESTAMP AS never, NULL AS none, 'NaN'::DOUBLE AS nan, '101'::BIT AS bits, '😀' AS emoji`);
  assert.deepEqual(row, {
    id: 1,
    yes: true,
    safe: 9007199254740991,
    big: 9007199254740993n,
    huge: 170141183460469231731687303715884105727n,
    unsigned: 18446744073709551615n,
    double: 0.1,
    exact: "12345678901234567890.1234567890",
    money: "1.50",
    day: "2026-01-02",
    time: "09:30:00.000001",
    moment: "2026-01-02T09:30:00.123456",
    nano: "2026-01-02T09:30:00.123456789",
    zoned: "2026-01-02T07:30:00.123456Z",
    uuid: "12345678-1234-1234-1234-1234567890ab",
    bytes: Buffer.from([0, 255, 97]),
    choice: "b",
    span: "1 month 2 days",
    nul: "x\0y",
    never: "infinity",
    none: null,
    nan: Number.NaN,
    bits: "101",
    emoji: "😀",
  });
});

test("lists, structs, maps and JSON are arrays and objects, at any depth", async () => {
  const [row] =
    await rowsOf(`SELECT 1 AS id, [1, NULL, 3] AS list, [[1], []] AS deep, {'a': 1.50, 'b': {'at': DATE '2026-01-02'}} AS struct,
    MAP {'k': 9007199254740993} AS map, MAP {1: ['x']} AS numbers, '{"n": 12345678901234567890, "l": [1]}'::JSON AS json,
    [{'t': 'x'}]::STRUCT(t VARCHAR)[1] AS fixed`);
  assert.deepEqual(row, {
    id: 1,
    list: [1, null, 3],
    deep: [[1], []],
    struct: { a: "1.50", b: { at: "2026-01-02" } },
    map: { k: 9007199254740993n },
    numbers: { 1: ["x"] },
    json: { n: 12345678901234567890n, l: [1] },
    fixed: [{ t: "x" }],
  });
});

test("values that no step can use end the source before its first row, with the cast to write", async () => {
  for (const [value, words] of [
    ["union_value(n := 1)", /UNION/],
    ["MAP {{'a': 1}: 2}", /MAP with keys of the type STRUCT/],
    ["[row(1, 2)]", /STRUCT/],
    ["{'__proto__': 1}", /STRUCT/],
  ] as const) {
    const error = await errorOf(rowsOf(`SELECT 1 AS id, ${value} AS odd`));
    failsWith("SOURCE_FAILED", { column: 2 })(error);
    assert.match(error.message, words);
    assert.match(error.message, /CAST/);
  }
  await assert.rejects(rowsOf("SELECT [1] AS id"), failsWith("SOURCE_FAILED", { column: "id" }));
});

test("Parquet, CSV and JSON files are read in one query, by patterns too", async () => {
  const data = newFolder();
  await writeParquet(join(data, "a-1.parquet"), "SELECT 1 AS id, 10 AS amount");
  await writeParquet(join(data, "a-2.parquet"), "SELECT 2 AS id, 20 AS amount");
  writeFileSync(join(data, "names.csv"), "id,name\n1,one\n2,two\n");
  writeFileSync(join(data, "tags.jsonl"), '{"id":1,"tags":["x"]}\n{"id":2,"tags":[]}\n');
  const rows = await rowsOf(
    `SELECT a.id, amount, name, tags FROM read_parquet(${quoted(join(data, "a-*.parquet"))}) a
     JOIN ${quoted(join(data, "names.csv"))} USING (id) JOIN read_json(${quoted(join(data, "tags.jsonl"))}) USING (id) ORDER BY id;`,
  );
  assert.deepEqual(rows, [
    { id: 1, amount: 10, name: "one", tags: ["x"] },
    { id: 2, amount: 20, name: "two", tags: [] },
  ]);
});

test("rows come in the order of their files, and a schema converts them", async () => {
  const data = newFolder();
  for (const part of [0, 1, 2]) {
    await writeParquet(join(data, `${part}.parquet`), `SELECT range + ${part * 5000} AS id FROM range(5000)`);
  }
  const sqlFile = join(data, "query.sql");
  writeFileSync(sqlFile, `-- all of them\nFROM ${quoted(join(data, "*.parquet"))}`);
  const Row = z.object({ id: z.number() });
  const source = new DuckDBSource({ sqlFile: pathToFileURL(sqlFile), primaryKeyColumn: "id", schema: Row });
  const rows = await Array.fromAsync(source.read(reading()), (row) => rawOf(row)["id"]);
  assert.deepEqual(
    rows,
    Array.from({ length: 15_000 }, (_, index) => index),
  );
  assert.equal(await source.count({ ...reading(), limit: Infinity }), 15_000);
  assert.equal(await source.count({ ...reading(), limit: 7 }), 7);
});

const query = "SELECT id FROM (VALUES (1, DATE '2026-01-01'), (2, DATE '2026-02-01')) AS t(id, day)";

async function idsOf(sql: string, parameters: Parameters): Promise<unknown[]> {
  const source = new DuckDBSource<Record<string, unknown>>({ sql, primaryKeyColumn: "id" });
  return await Array.fromAsync(source.read({ ...reading(), parameters }), (row) => rawOf(row)["id"]);
}

test("parameters have their names, and a text is read in the type of its place", async () => {
  assert.deepEqual(await idsOf(`${query} WHERE day > $since`, { since: "2026-01-15" }), [2]);
  assert.deepEqual(await idsOf(`${query} WHERE day > $since`, { since: new Date("2026-01-15") }), [2]);
  assert.deepEqual(await idsOf(`${query} WHERE id = $id`, { id: "2" }), [2]);
  assert.deepEqual(await idsOf(`${query} WHERE id = $id OR id = $id`, { id: 2 }), [2]);
  assert.deepEqual(await idsOf(`${query} WHERE id = $id`, { id: 12345678901234567890n }), []);
  assert.deepEqual(await idsOf(`${query} WHERE id > $least LIMIT $most`, { least: 0.5, most: 1 }), [1]);
  assert.deepEqual(await idsOf(`${query} WHERE $none IS NULL`, { none: null }), [1, 2]);
  assert.deepEqual(await idsOf(`${query} WHERE $yes`, { yes: true }), [1, 2]);
  assert.deepEqual(await idsOf(`${query} WHERE $bytes = 'a'::BLOB`, { bytes: Buffer.from("a") }), [1, 2]);
  const path = await parquetOf("SELECT 5 AS id");
  assert.deepEqual(await idsOf("SELECT id FROM read_parquet($file)", { file: path }), [5]);
});

test("a parameter that is missing, unknown, without a name or of another type is an error without its value", async () => {
  const where = "the sql";
  await assert.rejects(idsOf(`${query} WHERE id = $id`, {}), failsWith("SOURCE_FAILED", { where, parameter: "id" }));
  await assert.rejects(idsOf(query, { id: 1 }), failsWith("SOURCE_FAILED", { where, parameter: "id" }));
  for (const sign of ["?", "$1"])
    await assert.rejects(idsOf(`${query} WHERE id = ${sign}`, {}), failsWith("SOURCE_FAILED"));
  for (const id of ["\uD83D", new Date(Number.NaN)]) {
    await assert.rejects(idsOf(`${query} WHERE id = $id`, { id }), failsWith("SOURCE_FAILED", { parameter: "id" }));
  }
  const error = await errorOf(idsOf(`${query} WHERE day > $since`, { since: "Jane Doe" }));
  failsWith("SOURCE_FAILED", { parameter: "since" })(error);
  assert.ok(!error.message.includes("Jane"));
});

test("a text that is no query is rejected before the first row", async () => {
  for (const sql of [
    " -- nothing\n/* at all */ ;",
    "SELECT 1 AS id; SELECT 2 AS id",
    "CREATE TABLE x (id INTEGER)",
    "COPY (SELECT 1) TO 'x.csv'",
    "SELECT 'a\0b' AS id",
  ]) {
    await assert.rejects(rowsOf(sql), failsWith("SOURCE_FAILED", { where: "the sql" }), sql);
  }
  await assert.rejects(rowsOf("SELEC 1 AS id"), failsWith("SOURCE_FAILED", { errorKind: "Parser" }));
  await assert.rejects(
    rowsOf("SELECT idd AS id FROM (SELECT 1 AS x)"),
    failsWith("SOURCE_FAILED", { errorKind: "Binder" }),
  );
});

test("a file that is missing, and one that is no Parquet file, are named", async () => {
  const data = newFolder();
  for (const name of ["none.parquet", "*.parquet"]) {
    const error = await errorOf(rowsOf(`SELECT * FROM ${quoted(join(data, name))}`));
    failsWith("SOURCE_FAILED", { code: "ENOENT" })(error);
    assert.ok(error.message.includes(name), error.message);
  }
  writeFileSync(join(data, "renamed.parquet"), "id,name\n1,Jane Doe\n");
  writeFileSync(join(data, "empty.parquet"), "");
  const whole = readFileSync(await parquetOf("SELECT range AS id FROM range(1000)"));
  writeFileSync(join(data, "cut.parquet"), whole.subarray(0, whole.length - 100));
  for (const name of ["renamed", "empty", "cut"]) {
    const error = await errorOf(rowsOf(`SELECT * FROM ${quoted(join(data, `${name}.parquet`))}`));
    assert.match(error.message, /no Parquet file/, name);
    assert.ok(!error.message.includes("Jane"));
  }
});

test("a wrong line of a CSV file, a wrong record of a JSON file and files that differ are named by file and place", async () => {
  const data = newFolder();
  const lines = Array.from({ length: 30_000 }, (_, index) => `${index},${index === 25_000 ? "Jane Doe" : index}`);
  writeFileSync(join(data, "late.csv"), `id,number\n${lines.join("\n")}`);
  writeFileSync(join(data, "bad.jsonl"), '{"id":1}\n{"id":2,"name":"Jane Doe"\n');
  await writeParquet(join(data, "a.parquet"), 'SELECT 1 AS id, 2 AS "Jane Doe"');
  await writeParquet(join(data, "b.parquet"), "SELECT 1 AS id, 2 AS other");
  for (const [name, path, facts] of [
    ["late.csv", "late.csv", { line: 25_002 }],
    ["bad.jsonl", "bad.jsonl", { errorKind: "Invalid Input" }],
    ["*.parquet", "b.parquet", { errorKind: "Invalid Input" }],
  ] as const) {
    const error = await errorOf(rowsOf(`FROM ${quoted(join(data, name))}`));
    failsWith("SOURCE_FAILED", { path: join(data, path), ...facts })(error);
    assert.ok(error.message.includes(path) && !JSON.stringify(error).includes("Jane"), error.message);
  }
});

test("a primary key that is missing and a column twice are errors without the names that the files have", async () => {
  const path = await parquetOf("SELECT 1 AS number, 'x' AS \"Jane Doe\"");
  const missing = await errorOf(rowsOf(`SELECT * FROM ${quoted(path)}`));
  failsWith("SOURCE_FAILED", { column: "id" })(missing);
  assert.ok(!missing.message.includes("Jane") && missing.detail.includes("Jane"));
  const twice = await errorOf(rowsOf(`SELECT a.number AS id, a.*, b.* FROM ${quoted(path)} a, ${quoted(path)} b`));
  failsWith("SOURCE_FAILED")(twice);
  assert.ok(!JSON.stringify(twice).includes("Jane") && twice.detail.includes("Jane"));
  const unknown = await errorOf(rowsOf(`SELECT nmber AS id FROM ${quoted(path)}`));
  assert.ok(unknown.message.includes("nmber") && !unknown.message.includes("Jane"), unknown.message);
});

test("what a query meets on its way ends the source behind the rows before it, and no value is in the message", async () => {
  const sql =
    "SELECT range AS id, CAST(CASE WHEN range = 9000 THEN 'Jane Doe' ELSE '1' END AS INTEGER) AS number FROM range(10000)";
  const source = new DuckDBSource<{ id: number }>({ sql, primaryKeyColumn: "id" });
  const given: number[] = [];
  const error = await errorOf(
    (async () => {
      for await (const { position } of source.read(reading())) given.push(position);
    })(),
  );
  failsWith("SOURCE_FAILED", { errorKind: "Conversion" })(error);
  assert.ok(!error.message.includes("Jane") && error.detail.includes("Jane"), error.message);
  assert.ok(given.length < 9000);
});

test("a file that is broken further on ends the source with its name, and never as if it had ended", async () => {
  const data = newFolder();
  const write = async (name: string, from: number): Promise<string> => {
    const path = join(data, name);
    await writeParquet(path, `SELECT range AS id, md5(range::VARCHAR) AS text FROM range(${from}, ${from + 20_000})`);
    return path;
  };
  await write("1.parquet", 0);
  const second = await write("2.parquet", 20_000);
  const bytes = readFileSync(second);
  writeFileSync(second, bytes.fill(0x5a, 1_000, bytes.length - 2_000));
  const given: number[] = [];
  const source = new DuckDBSource<{ id: number }>({
    sql: `FROM ${quoted(join(data, "*.parquet"))}`,
    primaryKeyColumn: "id",
  });
  const error = await errorOf(
    (async () => {
      for await (const { position } of source.read(reading())) given.push(position);
    })(),
  );
  failsWith("SOURCE_FAILED", { where: "the sql" })(error);
  assert.ok(given.length >= 10_000 && given.length <= 20_000, `${given.length} rows`);
});

test("no extension is loaded or downloaded", async () => {
  for (const from of ["'https://127.0.0.1:1/a.parquet'", "read_xlsx('a.xlsx')", "sqlite_scan('a.db', 't')"]) {
    const error = await errorOf(rowsOf(`SELECT 1 AS id FROM ${from}`));
    failsWith("SOURCE_FAILED")(error);
    assert.match(error.message, /extension/, from);
  }
});

test("a query that runs long ends when its signal aborts, at whatever moment", async () => {
  const source = new DuckDBSource<{ id: number }>({
    sql: "SELECT count(*) AS id FROM range(1000000000000) AS a(x) WHERE hash(x) % 7 = 3",
    primaryKeyColumn: "id",
  });
  for (const delayMs of [0, 1, 3, 6, 9, 12, 15, 20, 50]) {
    const controller = new AbortController();
    const { signal } = controller;
    const ended = assert.rejects(
      Array.fromAsync(source.read({ signal, parameters: {} })),
      (error) => error === signal.reason,
    );
    setTimeout(() => controller.abort(), delayMs);
    await ended;
  }
});

test("a query that needs more memory than it may use says so, and what can be put aside is", async () => {
  const list = new DuckDBSource<{ id: number }>({
    sql: "SELECT 1 AS id, list(md5(range::VARCHAR)) AS all FROM range(3000000)",
    primaryKeyColumn: "id",
    memoryLimitMiB: 32,
  });
  await assert.rejects(Array.fromAsync(list.read(reading())), failsWith("SOURCE_FAILED", { code: "OUT_OF_MEMORY" }));
});

test("tables of a DuckDB database are read, and it is not written to", async () => {
  const databasePath = join(newFolder(), "clinic.duckdb");
  await execute("CREATE TABLE visits AS SELECT range AS id, 'note ' || range AS note FROM range(3)", databasePath);
  const before = readFileSync(databasePath);
  const source = new DuckDBSource<{ id: number }>({
    databasePath,
    sql: "FROM visits ORDER BY id DESC",
    primaryKeyColumn: "id",
  });
  assert.deepEqual(await Array.fromAsync(source.read(reading()), (row) => rawOf(row)["id"]), [2, 1, 0]);
  assert.deepEqual(readFileSync(databasePath), before);
  assert.ok(source.files.includes(databasePath));
  await execute("INSERT INTO visits VALUES (3, 'later')", databasePath); // it is closed
  const other = (path: string) =>
    new DuckDBSource<{ id: number }>({ databasePath: path, sql: "FROM visits", primaryKeyColumn: "id" });
  const none = join(folder, "none.duckdb");
  await assert.rejects(Array.fromAsync(other(none).read(reading())), failsWith("SOURCE_FAILED", { code: "ENOENT" }));
  assert.ok(!existsSync(none));
  await assert.rejects(Array.fromAsync(other(folder).read(reading())), failsWith("SOURCE_FAILED", { where: folder }));
  const text = join(newFolder(), "text.duckdb");
  writeFileSync(text, "Jane Doe\n".repeat(1000));
  const error = await errorOf(Array.fromAsync(other(text).read(reading())));
  assert.ok(error.message.includes(text) && !error.message.includes("Jane"), error.message);
});

test("the files that a query names are known, those that match a pattern and a parameter too", async () => {
  const data = newFolder();
  mkdirSync(join(data, "parts"));
  const [one, two] = [join(data, "parts", "1.parquet"), join(data, "parts", "2.parquet")];
  for (const path of [one, two]) await writeParquet(path, "SELECT 1 AS id");
  const filesOf = (sql: string, parameters: Parameters = {}) =>
    new DuckDBSource({ sql, primaryKeyColumn: "id", parameters }).files.toSorted();
  assert.deepEqual(filesOf(`SELECT '*' AS id, 'x' FROM ${quoted(join(data, "parts", "*.parquet"))}`), [one, two]);
  assert.deepEqual(filesOf(`FROM ${quoted(one)}`), [one]);
  assert.deepEqual(filesOf("FROM read_parquet($file)", { file: two }), [two]);
  assert.deepEqual(filesOf("FROM 'https://example.org/a.parquet' WHERE a LIKE '%.parquet'"), []);
  const sqlFile = join(data, "query.sql");
  writeFileSync(sqlFile, `FROM ${quoted(two)}`);
  assert.deepEqual(new DuckDBSource({ sqlFile, primaryKeyColumn: "id" }).files.toSorted(), [two, sqlFile].toSorted());
});

test("check finds a file that is missing, and reads one that is there", async () => {
  const check = async (sql: string) =>
    await new Pipeline({
      name: "looked at",
      source: new DuckDBSource({ sql, primaryKeyColumn: "id", schema: z.object({ id: z.number(), note: z.string() }) }),
      llmProvider: new MockProvider(),
      journal: "off",
      payloadLog: "off",
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [{ name: "a", definition: "any" }],
          inputMap: { text: (s) => s.raw.note },
          outputKey: "kind",
        }),
      )
      .to(new MemorySink({ columnMap: { id: (s) => s.pk } }))
      .check();
  const missing = await check("FROM 'none/*.parquet'");
  assert.equal(missing.wouldRun, false);
  assert.ok(missing.findings.some(({ subject, status }) => subject === "source duckdb" && status === "problem"));
  const found = await check(`FROM ${quoted(await parquetOf("SELECT 1 AS id, 'a note' AS note, 2 AS other"))}`);
  assert.equal(found.wouldRun, true);
  assert.ok(found.findings.some(({ subject }) => subject === "package @duckdb/node-api"));
});

test("a package that is missing, broken or too old says what to install", async () => {
  const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  const driver = await loadDriver("x");
  for (const [load, facts] of [
    [() => Promise.reject(missing), { where: "@duckdb/node-api" }],
    [() => Promise.reject(new Error("no binding for this platform")), { where: "@duckdb/node-api" }],
    [() => Promise.resolve({ ...driver, version: () => "v1.3.4" }), { got: "v1.3.4" }],
  ] as const) {
    await assert.rejects(loadDriver("DuckDBSource", load), failsWith("SETTING_MISSING", facts));
  }
  for (const version of ["v1.5.6", "v1.4.0", "v2.0.0", "v1.10.0-dev12"]) {
    await loadDriver("DuckDBSource", () => Promise.resolve({ ...driver, version: () => version }));
  }
});

for (const [what, options, where] of [
  ["no query", { primaryKeyColumn: "id" }, "sql"],
  ["two queries", { primaryKeyColumn: "id", sql: "FROM x", sqlFile: "x.sql" }, "sql"],
  ["a blank key", { sql: "FROM x", primaryKeyColumn: " " }, "primaryKeyColumn"],
  ["too little memory", { sql: "FROM x", primaryKeyColumn: "id", memoryLimitMiB: 1 }, "memoryLimitMiB"],
  ["no thread", { sql: "FROM x", primaryKeyColumn: "id", threads: 0 }, "threads"],
  ["another option", { sql: "FROM x", primaryKeyColumn: "id", path: "x" }, "path"],
] as const) {
  test(`${what} is rejected at construction`, () => {
    assert.throws(() => new DuckDBSource(options as never), failsWith("INVALID_OPTION", { where })); // as in JavaScript
  });
}
