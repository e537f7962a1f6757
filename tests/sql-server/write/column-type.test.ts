import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import mssql from "mssql";
import type { Value } from "../../support/tds/sql-type.ts";
import { columnType, type DeclaredType } from "../../../src/sql-server/write/column-type.ts";
import { openTarget } from "../../support/sql-server-target.ts";
import { groupsOf } from "../../../src/testing/row-groups.ts";

const plain: DeclaredType = { type: "", length: undefined, precision: 0, scale: 0, collation: undefined, codePage: 0 };

/** Each type with values, and what the table has of them: exact, in the terms of the test server. */
const kept: readonly (readonly [declaration: string, values: readonly (readonly [unknown, Value])[]])[] = [
  [
    "BIT",
    [
      [true, true],
      [0, false],
    ],
  ],
  ["TINYINT", [[255, 255]]],
  ["SMALLINT", [[-32_768, -32_768]]],
  ["INT", [["2147483647", 2_147_483_647]]],
  [
    "BIGINT",
    [
      [2n ** 63n - 1n, 2n ** 63n - 1n],
      ["-9223372036854775808", -(2n ** 63n)],
      [5, 5n],
    ],
  ],
  [
    "DECIMAL(38,18)",
    [
      ["12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"],
      [0.1, "0.100000000000000000"],
    ],
  ],
  [
    "NUMERIC(3,2)",
    [
      [0.875, "0.88"],
      [-0.875, "-0.88"],
    ],
  ],
  ["MONEY", [["-922337203685477.5808", "-922337203685477.5808"]]],
  ["SMALLMONEY", [[1.5, "1.5000"]]],
  [
    "FLOAT",
    [
      [0.1, 0.1],
      [-1.7976931348623157e308, -1.7976931348623157e308],
    ],
  ],
  ["REAL", [[0.1, Math.fround(0.1)]]],
  [
    "DATE",
    [
      ["0001-01-01", "0001-01-01"],
      [new Date("2025-03-01T23:00:00Z"), "2025-03-01"],
    ],
  ],
  ["TIME(7)", [["23:59:59.9999999", "23:59:59.9999999"]]],
  ["DATETIME2(7)", [["2025-03-01T12:34:56.1234567", "2025-03-01 12:34:56.1234567"]]],
  ["DATETIME2(0)", [[new Date("2025-03-01T12:34:56.500Z"), "2025-03-01 12:34:57"]]],
  ["DATETIMEOFFSET(7)", [["2025-03-01T00:30:00.1234567+02:00", "2025-03-01 00:30:00.1234567 +02:00"]]],
  [
    "DATETIME",
    [
      ["1753-01-01", "1753-01-01 00:00:00.000"],
      ["9999-12-31T23:59:59.999", "9999-12-31 23:59:59.997"],
    ],
  ],
  ["SMALLDATETIME", [["2079-06-06T23:59:00", "2079-06-06 23:59:00"]]],
  ["UNIQUEIDENTIFIER", [["6f9619ff-8b86-d011-b42d-00c04fc964ff", "6F9619FF-8B86-D011-B42D-00C04FC964FF"]]],
  ["CHAR(3)", [["é", "é  "]]],
  ["VARCHAR(4)", [["€uro", "€uro"]]],
  ["VARCHAR(MAX)", [["x".repeat(9000), "x".repeat(9000)]]],
  ["VARCHAR(8000)", [["y".repeat(8000), "y".repeat(8000)]]],
  ["NCHAR(3)", [["日", "日  "]]],
  [
    "NVARCHAR(4000)",
    [
      ["日".repeat(4000), "日".repeat(4000)],
      ["", ""],
      ["a\0b", "a\0b"],
    ],
  ],
  [
    "NVARCHAR(MAX)",
    [
      ["\u{1F600}".repeat(5000), "\u{1F600}".repeat(5000)],
      [{ a: 1 }, '{"a":1}'],
    ],
  ],
  ["XML", [["<a/>", "<a/>"]]],
  ["BINARY(4)", [[Buffer.from([1, 2]), Buffer.from([1, 2, 0, 0])]]],
  [
    "VARBINARY(4)",
    [
      [Buffer.from([0, 255]), Buffer.from([0, 255])],
      [Buffer.alloc(0), Buffer.alloc(0)],
    ],
  ],
  ["VARBINARY(MAX)", [[Buffer.alloc(9000, 7), Buffer.alloc(9000, 7)]]],
];

test("every type that can be written keeps its values exactly, and NULL", async (t) => {
  const columns = kept.map(([declaration], index) => `c${index} ${declaration} NULL`);
  const names = kept.map((_, index) => `c${index}`);
  const { session, rows } = await openTarget(
    t,
    { sql: `CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, ${columns.join(", ")})` },
    ["id", ...names],
  );
  const most = Math.max(...kept.map(([, values]) => values.length));
  const batch = Array.from({ length: most + 1 }, (_, id) => {
    return Object.fromEntries([
      ["id", id],
      ...kept.map(([, values], index) => [names[index], values[id]?.[0] ?? null]),
    ]);
  });
  for (const values of batch) assert.deepEqual(session.check?.(values), []);
  await session.write(groupsOf(batch));
  const written = rows().toSorted((left, right) => Number(left["id"]) - Number(right["id"]));
  for (const [index, [declaration, values]] of kept.entries()) {
    for (let id = 0; id <= most; id += 1)
      assert.deepEqual(written[id]?.[`c${index}`], values[id]?.[1] ?? null, declaration);
  }
});

test("a row is found again by a key of every type that an index takes", async (t) => {
  for (const [declaration, [[value] = []]] of kept) {
    if (/MAX|XML|BIT/.test(declaration)) continue;
    await t.test(declaration, async (subtest) => {
      const { session, rows } = await openTarget(
        subtest,
        { sql: `CREATE TABLE dbo.t (id ${declaration} NOT NULL PRIMARY KEY, v INT NULL)` },
        ["id", "v"],
      );
      await session.write(groupsOf([{ id: value, v: 1 }]));
      await session.write(groupsOf([{ id: value, v: 2 }]));
      assert.deepEqual(
        rows().map(({ v }) => v),
        [2],
      );
      assert.equal(await session.holds?.({ id: value }), true);
    });
  }
});

test("texts and numbers of any kind come back as they were sent", async (t) => {
  const sql = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, s NVARCHAR(MAX), d DECIMAL(38,10), b BIGINT, f FLOAT)";
  const { session, rows } = await openTarget(t, { sql }, ["id", "s", "d", "b", "f"]);
  const row = fc.record({
    s: fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    d: fc.bigInt({ min: -(10n ** 27n), max: 10n ** 27n }),
    b: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    f: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => Math.abs(number) > 1e-300),
  });
  const given = fc.sample(row, { seed: 5, numRuns: 300 });
  await session.write(groupsOf(given.map((values, id) => ({ id, ...values }))));
  const found = new Map(rows().map((values) => [values["id"], values]));
  for (const [id, { s, d, b, f }] of given.entries()) {
    assert.deepEqual(found.get(id), { id, s, d: `${d}.0000000000`, b, f });
  }
});

test("what is no type of SQL Server's, or none that can be written, has none", () => {
  for (const type of [
    "sql_variant",
    "geography",
    "geometry",
    "hierarchyid",
    "text",
    "ntext",
    "image",
    "timestamp",
    "vector",
    "cursor",
    "",
  ]) {
    assert.equal(columnType({ ...plain, type }), undefined);
  }
});

test("text is staged wider than its column, in the column's collation, and typed as the column for comparing keys", () => {
  const varchar = columnType({
    ...plain,
    type: "varchar",
    length: 20,
    collation: "Latin1_General_CI_AS",
    codePage: 1252,
  });
  assert.equal(varchar?.staged, "NVARCHAR(4000) COLLATE Latin1_General_CI_AS");
  assert.equal(varchar.typed("[c0]"), "CAST([c0] AS VARCHAR(8000))");
  assert.equal(varchar.typed("@k0"), "CAST(@k0 COLLATE Latin1_General_CI_AS AS VARCHAR(8000))");
  assert.equal(varchar.mayLoseCharacters, false);
  const nvarchar = columnType({ ...plain, type: "nvarchar", collation: "Latin1_General_CI_AS" });
  assert.equal(nvarchar?.declaration, "NVARCHAR(MAX)");
  assert.equal(nvarchar.staged, "NVARCHAR(MAX) COLLATE Latin1_General_CI_AS");
  assert.equal(nvarchar.typed("[c0]"), "[c0]");
  assert.equal(
    columnType({ ...plain, type: "char", length: 5, collation: "C", codePage: 932 })?.mayLoseCharacters,
    true,
  );
});

test("decimals and dates go by way of text, which the driver does not round", () => {
  const decimal = columnType({ ...plain, type: "decimal", precision: 10, scale: 2 });
  assert.equal(decimal?.staged, "NVARCHAR(64)");
  assert.equal(decimal.typed("[c0]"), "CAST([c0] AS DECIMAL(10,2))");
  assert.deepEqual(decimal.driverType(mssql), mssql.NVarChar(64));
});

test("a collation's name that is no name is not put into SQL", () => {
  assert.throws(() => columnType({ ...plain, type: "varchar", length: 5, collation: "x; DROP TABLE t" }), TypeError);
});

test("limits say what each column holds, in the words of JSON Schema", async (t) => {
  const sql =
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(100), score DECIMAL(3,2) NOT NULL, n TINYINT, big BIGINT, at DATE, long NVARCHAR(MAX))";
  const { session } = await openTarget(t, { sql }, ["id", "note", "score", "n", "big", "at", "long"]);
  const { limits = {} } = session;
  assert.deepEqual(Object.fromEntries(Object.entries(limits).map(([name, { schema }]) => [name, schema])), {
    id: { minimum: -2_147_483_648, maximum: 2_147_483_647 },
    note: { maxLength: 100 },
    score: { minimum: -9.99, maximum: 9.99 },
    n: { minimum: 0, maximum: 255 },
    big: {},
    at: {},
    long: {},
  });
});
