import assert from "node:assert/strict";
import { test } from "node:test";
import type { Parameters, Source } from "../../src/contracts/source.ts";
import { keyText } from "../../src/engine/primary-key.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { findingQuery } from "../../src/sql-server/read/finding-query.ts";
import { keyValues } from "../../src/sql-server/read/key-values.ts";
import { failsWith } from "../support/error-facts.ts";
import { type SQLServer, startSQLServer } from "../support/sql-server.ts";

type Findable = Pick<Source<{ id: number }>, "find" | "read">;

/** As a JavaScript user could, without the types. */
function sourceOf({ connectionString }: SQLServer, sql: string, options: object = {}): Findable {
  const given = { connectionString, sql, primaryKeyColumn: "id", ...options };
  return Reflect.construct(SQLServerSource, [given, { sleep: () => Promise.resolve() }]);
}

/** The rows that were found; undefined where the source can't find any by key. */
async function find(
  source: Findable,
  pks: readonly string[],
  parameters: Parameters = {},
): Promise<Readonly<Record<string, unknown>>[] | undefined> {
  const found = await source.find?.(pks, { signal: new AbortController().signal, parameters });
  if (found === undefined) return undefined;
  const rows: Readonly<Record<string, unknown>>[] = [];
  for await (const row of found) {
    if ("error" in row) throw row.error;
    rows.push(row.raw);
  }
  return rows;
}

async function idsFound(source: Findable, pks: readonly string[], parameters: Parameters = {}): Promise<unknown> {
  return (await find(source, pks, parameters))?.map(({ id }) => id).toSorted();
}

const visits = `
  CREATE TABLE dbo.visits (id INT NOT NULL PRIMARY KEY, department NVARCHAR(50) NULL);
  INSERT INTO dbo.visits (id, department) VALUES (1, N'ER'), (2, N'Lab'), (3, N'ER'), (4, NULL);`;

test("the rows of any form of query are found, with its parameters, its order and its limits", async (t) => {
  const server = await startSQLServer({ sql: visits }, t);
  const ofER = "SELECT id, department FROM dbo.visits WHERE department = N'ER'";
  const paged =
    "SELECT TOP (@page_size) id, department FROM dbo.visits WHERE (@after IS NULL OR id > @after) ORDER BY id";
  const cases: readonly (readonly [sql: string, options?: object, parameters?: Parameters])[] = [
    [`${ofER} ORDER BY id DESC`],
    [`${ofER}; -- the ER; no other`],
    [`;WITH er AS (${ofER}) /* all */ SELECT id, department FROM er ORDER BY id;`],
    [`WITH a (id) AS (SELECT 1), er AS (${ofER}) -- two\nSELECT er.id, er.department FROM er`],
    [`SELECT TOP (10) id, department FROM dbo.visits WHERE id <> 2 AND id <> 4 ORDER BY id OPTION (RECOMPILE)`],
    [`${ofER} ORDER BY id OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY`],
    [`${ofER} AND id = 1 UNION ALL ${ofER} AND id > 1 ORDER BY id`],
    ["SELECT id, department FROM dbo.visits WHERE department = @department", {}, { department: "ER" }],
    [`${paged} OPTION (RECOMPILE)`, { paging: { keyColumn: "id", pageSize: 1 } }],
  ];
  for (const [sql, options, parameters] of cases) {
    const source = sourceOf(server, sql, options);
    assert.deepEqual(await idsFound(source, ["1", "3", "9"], parameters), [1, 3], sql);
    assert.deepEqual(await idsFound(source, ["3"], parameters), [3], sql);
  }
  const lab = sourceOf(server, ofER);
  assert.deepEqual(await idsFound(lab, ["2", "4", "no number", "1.5"]), []);
  const first = sourceOf(server, "SELECT TOP (1) id, department FROM dbo.visits ORDER BY id");
  assert.deepEqual(await idsFound(first, ["1", "2"]), [1], "a row beyond the statement's own limit is not given");
});

test("more keys than one statement takes go in batches", async (t) => {
  const server = await startSQLServer({ sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)" }, t);
  server.table("dbo.t").insert(Array.from({ length: 1200 }, (_, id) => ({ id })));
  const pks = Array.from({ length: 1300 }, (_, index) => String(index + 100));
  const found = await find(sourceOf(server, "SELECT id FROM dbo.t"), pks);
  assert.equal(found?.length, 1100);
});

const keyTypes: Readonly<Record<string, readonly [type: string, ...values: unknown[]]>> = {
  bit: ["BIT", true, false],
  tiny: ["TINYINT", 0, 255],
  int: ["INT", -2_147_483_648, 2_147_483_647],
  big: ["BIGINT", -9_223_372_036_854_775_808n, 9_007_199_254_740_993n],
  decimal: ["DECIMAL(38,10)", "-1234567890123456789012345678.0123456789", "0.0000000001"],
  short: ["DECIMAL(15,4)", "12345678901.2345", "-1.0000"],
  money: ["MONEY", "922337203685477.5807", "-1.2500"],
  smallmoney: ["SMALLMONEY", "214748.3647", "1.0000"],
  float: ["FLOAT", 5e-324, -1.5],
  real: ["REAL", 0.1, 3.402_823_5e38],
  char: ["CHAR(5)", "ab   ", "a'\"]-"],
  varchar: ["VARCHAR(10)", "café", "plain"],
  varchar_max: ["VARCHAR(MAX)", "x".repeat(9000), "é"],
  nchar: ["NCHAR(5)", "a😀z ", "ab   "],
  nvarchar: ["NVARCHAR(20)", "é😀 日本", "plain"],
  nvarchar_max: ["NVARCHAR(MAX)", "😀".repeat(5000), "b"],
  binary: ["BINARY(4)", Buffer.from([1, 2, 3, 255]), Buffer.from([1, 2, 0, 0])],
  varbinary: ["VARBINARY(10)", Buffer.from([0, 255]), Buffer.from([1])],
  date: ["DATE", "0001-01-01", "9999-12-31"],
  time: ["TIME(7)", "23:59:59.9999999", "00:00:00.0000000"],
  time_0: ["TIME(0)", "23:59:59", "00:00:00"],
  datetime: ["DATETIME", new Date("2026-01-02T03:04:05.123Z"), new Date("9999-12-31T23:59:59.997Z")],
  smalldatetime: ["SMALLDATETIME", new Date("2079-06-06T23:59:00.000Z"), new Date("1900-01-01T00:00:00.000Z")],
  datetime2: ["DATETIME2(7)", "9999-12-31T23:59:59.9999999", "0001-01-01T00:00:00.0000000"],
  datetimeoffset: ["DATETIMEOFFSET(7)", "2026-01-02T03:04:05.1234567-05:30", "2026-01-02T03:04:05.0000000+00:00"],
  guid: ["UNIQUEIDENTIFIER", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "00000000-0000-0000-0000-000000000001"],
};

test("a key of any type is found by its text, to the last digit, and texts that are no key of its type are passed over", async (t) => {
  const columns = Object.entries(keyTypes).map(([name, [type]]) => `c_${name} ${type} NULL`);
  const server = await startSQLServer({ sql: `CREATE TABLE dbo.keys (row INT NOT NULL, ${columns.join(", ")})` }, t);
  const rowWith = (index: number) =>
    Object.fromEntries(Object.entries(keyTypes).map(([name, values]) => [`c_${name}`, values[index]]));
  server.table("dbo.keys").insert([
    { row: 1, ...rowWith(1) },
    { row: 2, ...rowWith(2) },
  ]);
  const oddTexts = ["no key", "99999999999999999999999999999999999999999", "-", "0x", " ", "\uD800", "1e999", "ff"];
  for (const [name, [, ...values]] of Object.entries(keyTypes)) {
    const source = sourceOf(server, `SELECT row, c_${name} FROM dbo.keys`, { primaryKeyColumn: `c_${name}` });
    const pks = values.map((value) => keyText(value) ?? "");
    const rows = await find(source, [...oddTexts, ...pks]);
    assert.deepEqual(rows?.map(({ row }) => row).toSorted(), [1, 2], name);
    assert.deepEqual(
      (await find(source, [pks[1] ?? ""]))?.map(({ row }) => row),
      [2],
      name,
    );
  }
});

test("a key that is equal to the server and not to us is another row's", async (t) => {
  const sql = `CREATE TABLE dbo.t (id NVARCHAR(10) NOT NULL); INSERT INTO dbo.t (id) VALUES (N'abc'), (N'ABC'), (N'abc ')`;
  const server = await startSQLServer({ sql }, t);
  const source = sourceOf(server, "SELECT id FROM dbo.t");
  assert.deepEqual(await idsFound(source, ["ABC"]), ["ABC"]);
  assert.deepEqual(await idsFound(source, ["Abc"]), []);
});

test("a query that the server does not take as a part of another, and keys that it does not compare, are not found by key", async (t) => {
  const sql = "CREATE TABLE dbo.t (id INT NOT NULL, doc XML NULL); INSERT INTO dbo.t (id, doc) VALUES (1, N'<a/>')";
  const server = await startSQLServer({ sql }, t);
  assert.equal(
    await find(sourceOf(server, "SELECT id, doc FROM dbo.t", { primaryKeyColumn: "doc" }), ["<a/>"]),
    undefined,
  );
  server.faults.add({ on: /^sp_describe/, nth: 2, error: { number: 1033, message: "no ORDER BY here" } });
  assert.equal(await find(sourceOf(server, "SELECT id, doc FROM dbo.t"), ["1"]), undefined);
});

test("a query that is wrong as it is, or lacks a parameter, is an error", async (t) => {
  const server = await startSQLServer({ sql: visits }, t);
  await assert.rejects(find(sourceOf(server, "SELECT id FROM dbo.no_table"), ["1"]), failsWith("SOURCE_FAILED"));
  const wanting = sourceOf(server, "SELECT id FROM dbo.visits WHERE department = @department");
  await assert.rejects(find(wanting, ["1"]), failsWith("SOURCE_FAILED", { parameter: "department" }));
});

test("the query that finds has common tables before it and hints behind it", () => {
  const text = findingQuery(
    "WITH a AS (SELECT 1 AS id)\nSELECT id FROM a ORDER BY id OPTION (MAXDOP 1); -- x",
    "odd]id",
    ["k"],
  );
  assert.equal(
    text,
    "WITH a AS (SELECT 1 AS id)\n\n, llm_etl_rows AS (\nSELECT id FROM a ORDER BY id \nOFFSET 0 ROWS\n)\n" +
      "SELECT * FROM llm_etl_rows\nWHERE llm_etl_rows.[odd]]id] IN (@k)\nOPTION (MAXDOP 1)",
  );
  for (const inner of [
    "SELECT id, (SELECT n AS n FROM b FOR XML PATH('')) AS list FROM a",
    "SELECT id FROM a FOR SYSTEM_TIME AS OF '2026-01-01'",
    "SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS n FROM a",
  ]) {
    assert.equal(
      findingQuery(inner, "id", ["k"]),
      `WITH llm_etl_rows AS (\n${inner}\n)\nSELECT * FROM llm_etl_rows\nWHERE llm_etl_rows.[id] IN (@k)`,
    );
  }
  assert.equal(findingQuery("SELECT id FROM a FOR JSON PATH", "id", ["k"]), undefined);
  assert.equal(findingQuery("(SELECT 1 AS id)", "id", ["k"]), undefined);
});

test("values of keys have the column's own type, so that an index serves", () => {
  const type = (name: string, declaration: string, length = 0, precision = 0, scale = 0) =>
    ({ name, declaration, precision, scale, length }) as const;
  const declared = (given: ReturnType<typeof type>, pk: string) =>
    keyValues(given, [pk])?.map((value) => value.declaration);
  assert.deepEqual(declared(type("varchar", "varchar(10)", 10), "abc"), ["varchar(8000)"]);
  assert.deepEqual(declared(type("varchar", "varchar(10)", 10), "日"), ["nvarchar(4000)"]);
  assert.deepEqual(declared(type("decimal", "decimal(9,2)", 5, 9, 2), "1.25"), ["decimal(9,2)"]);
  assert.deepEqual(declared(type("decimal", "decimal(9,2)", 5, 9, 2), "12345678.25"), []);
  assert.deepEqual(declared(type("timestamp", "timestamp", 8), "00000000000007d1"), ["binary(8)"]);
  assert.equal(keyValues(type("geography", "geography"), ["x"]), undefined);
});
