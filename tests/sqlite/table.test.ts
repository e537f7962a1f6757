import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { describeTable, type Table, tableNames } from "../../src/sqlite/table.ts";

function tableOf(sql: string, name = "t"): Table | undefined {
  const database = new DatabaseSync(":memory:");
  database.exec(sql);
  return describeTable(database, name);
}

test("a table is found whatever the case of its name, and a missing one is not", () => {
  assert.equal(tableOf('CREATE TABLE "odd""]t" (a)', 'ODD"]T')?.name, 'odd"]t');
  assert.equal(tableOf("CREATE TABLE t (a)", "u"), undefined);
  assert.equal(tableOf("CREATE VIEW t AS SELECT 1 AS a")?.kind, "view");
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE a (x); CREATE TABLE sqliteish (x)");
  assert.deepEqual(tableNames(database).toSorted(), ["a", "sqliteish"]);
});

test("affinities are derived as SQLite derives them", () => {
  const types = ["INT", "POINT", "varchar(9)", "CLOB", "", "blob", "float", "DOUBLE", "REAL", "DECIMAL(3,2)", "date"];
  const table = tableOf(`CREATE TABLE t (${types.map((type, index) => `c${index} ${type}`).join(", ")})`);
  assert.deepEqual(
    table?.columns.map(({ affinity }) => affinity),
    ["INTEGER", "INTEGER", "TEXT", "TEXT", "BLOB", "BLOB", "REAL", "REAL", "REAL", "NUMERIC", "NUMERIC"],
  );
  assert.ok(table?.columns.every(({ enforcedType }) => enforcedType === undefined));
});

test("a STRICT table holds its columns to their types, but for ANY", () => {
  const table = tableOf("CREATE TABLE t (a INT, b INTEGER, c REAL, d TEXT, e BLOB, f ANY) STRICT");
  assert.deepEqual(
    table?.columns.map(({ enforcedType }) => enforcedType),
    ["INTEGER", "INTEGER", "REAL", "TEXT", "BLOB", undefined],
  );
  assert.equal(table?.columns[5]?.affinity, "BLOB");
});

test("INTEGER PRIMARY KEY is a rowid and a key, and other primary keys are not rowids", () => {
  assert.equal(tableOf("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")?.columns[0]?.isRowid, true);
  assert.equal(tableOf("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")?.columns[0]?.enforcedType, "INTEGER");
  assert.deepEqual(tableOf("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")?.uniqueKeys, [
    { columns: [{ name: "a", collation: "BINARY" }] },
  ]);
  for (const sql of [
    "CREATE TABLE t (a INT PRIMARY KEY)",
    "CREATE TABLE t (a INTEGER PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE t (a INTEGER PRIMARY KEY DESC)",
  ]) {
    assert.equal(tableOf(sql)?.columns[0]?.isRowid, false, sql);
    assert.equal(tableOf(sql)?.uniqueKeys.length, 1, sql);
  }
});

test("unique keys are those over whole columns and all rows, with their collations", () => {
  const table = tableOf(`
    CREATE TABLE t (a TEXT, b TEXT COLLATE NOCASE, c, UNIQUE (b, a));
    CREATE UNIQUE INDEX i1 ON t (c) WHERE c > 0;
    CREATE UNIQUE INDEX i2 ON t (lower(c));
    CREATE INDEX i3 ON t (a);
    CREATE UNIQUE INDEX i4 ON t (a COLLATE NOCASE);`);
  assert.deepEqual(
    table?.uniqueKeys.map(({ columns }) => columns.map(({ name, collation }) => `${name} ${collation.toUpperCase()}`)),
    [["a NOCASE"], ["b NOCASE", "a BINARY"]],
  );
});

test("NOT NULL, defaults and generated columns are seen", () => {
  const table = tableOf(`CREATE TABLE t (
    a NOT NULL, b NOT NULL DEFAULT 1, c NOT NULL DEFAULT NULL, d AS (1), e AS (2) STORED, f, PRIMARY KEY (f)
  ) WITHOUT ROWID`);
  const facts = table?.columns.map(({ name, isNotNull, hasDefault, isGenerated }) => [
    name,
    isNotNull,
    hasDefault,
    isGenerated,
  ]);
  assert.deepEqual(facts, [
    ["a", true, false, false],
    ["b", true, true, false],
    ["c", true, false, false],
    ["d", false, false, true],
    ["e", false, false, true],
    ["f", true, false, false],
  ]);
});
