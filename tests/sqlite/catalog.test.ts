import assert from "node:assert/strict";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { test } from "node:test";
import * as fc from "fast-check";
import { describeTable, type SQLiteColumn } from "../../src/sqlite/catalog.ts";
import { bindingProblem, toSQLiteValue } from "../../src/sqlite/values.ts";
import type { TableFacts } from "../../src/table/dialect.ts";

type Table = Omit<TableFacts<SQLiteColumn, SQLInputValue>, "place">;

function tableOf(sql: string, table = "t", coerces = false): Table {
  const database = new DatabaseSync(":memory:");
  database.exec(sql);
  const found = describeTable(database, { table: { schema: undefined, table }, strategy: "merge", coerces });
  return "columns" in found ? found : assert.fail("it was not found");
}

/** The types of values that a column takes, of all that SQLite has. */
function takes(table: Table): string[] {
  const values = { integer: 5, real: 1.5, text: "x", blob: Buffer.from([1]) };
  return table.columns.map(({ fit }) => {
    const taken = Object.entries(values).filter(([, value]) => fit(value).ok);
    return taken.map(([name]) => name).join(" ");
  });
}

test("a table is found whatever the case of its name; of a missing one all others are named", () => {
  assert.equal(tableOf('CREATE TABLE "odd""]t" (a)', 'ODD"]T').name, 'odd"]t');
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE a (x); CREATE TABLE sqliteish (x)");
  const missing = describeTable(database, {
    table: { schema: undefined, table: "u" },
    strategy: "merge",
    coerces: false,
  });
  assert.ok("otherTables" in missing);
  assert.deepEqual(missing.otherTables.toSorted(), ["a", "sqliteish"]);
});

test("what is no table can't be written to", () => {
  assert.equal(tableOf("CREATE TABLE t (a)").problem, undefined);
  assert.match(tableOf("CREATE VIEW t AS SELECT 1 AS a").problem ?? "", /is a view and not a table/);
  assert.match(tableOf("CREATE VIRTUAL TABLE t USING fts5(a)").problem ?? "", /is a virtual and not a table/);
});

test("affinities are derived as SQLite derives them", () => {
  const types = ["INT", "POINT", "varchar(9)", "CLOB", "", "blob", "float", "DOUBLE", "REAL", "DECIMAL(3,2)", "date"];
  const table = tableOf(`CREATE TABLE t (${types.map((type, index) => `c${index} ${type}`).join(", ")})`);
  assert.deepEqual(
    table.columns.map(({ affinity }) => affinity),
    ["INTEGER", "INTEGER", "TEXT", "TEXT", "BLOB", "BLOB", "REAL", "REAL", "REAL", "NUMERIC", "NUMERIC"],
  );
  assert.ok(takes(table).every((types) => types === "integer real text blob"));
});

test("a STRICT table holds its columns to their types, but for ANY", () => {
  const table = tableOf("CREATE TABLE t (a INT, b INTEGER, c REAL, d TEXT, e BLOB, f ANY) STRICT");
  const [any, text] = ["integer real text blob", "integer real text"];
  assert.deepEqual(takes(table), ["integer", "integer", "integer real", text, "blob", any]);
  assert.equal(table.columns[5]?.affinity, "BLOB");
});

test("INTEGER PRIMARY KEY is a rowid and a key, and other primary keys are not rowids", () => {
  const table = tableOf("CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
  assert.equal(table.columns[0]?.isRowid, true);
  assert.equal(takes(table)[0], "integer");
  assert.deepEqual(table.uniqueKeys, [{ index: "", isPrimary: true, unusable: undefined, columns: [{ name: "a" }] }]);
  for (const sql of [
    "CREATE TABLE t (a INT PRIMARY KEY)",
    "CREATE TABLE t (a INTEGER PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE t (a INTEGER PRIMARY KEY DESC)",
  ]) {
    assert.equal(tableOf(sql).columns[0]?.isRowid, false, sql);
    assert.equal(tableOf(sql).uniqueKeys.length, 1, sql);
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
    table.uniqueKeys.map(({ columns }) => columns.map(({ name, collation }) => `${name} ${collation?.toUpperCase()}`)),
    [["a NOCASE"], ["b NOCASE", "a BINARY"]],
  );
});

test("NOT NULL, defaults and generated columns are seen", () => {
  const table = tableOf(`CREATE TABLE t (
    a NOT NULL, b NOT NULL DEFAULT 1, c NOT NULL DEFAULT NULL, d AS (1), e AS (2) STORED, f, PRIMARY KEY (f)
  ) WITHOUT ROWID`);
  const facts = table.columns.map(({ name, isNullable, isRequired, problem }) => {
    return [name, isNullable, isRequired, problem !== undefined];
  });
  assert.deepEqual(facts, [
    ["a", false, true, false],
    ["b", false, false, false],
    ["c", false, true, false],
    ["d", true, false, true],
    ["e", true, false, true],
    ["f", false, true, false],
  ]);
});

test("a rowid takes NULL in a row that is added, and in none that is changed", () => {
  const [add, change] = (["merge", "update"] as const).map((strategy) => {
    const database = new DatabaseSync(":memory:");
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY NOT NULL)");
    const found = describeTable(database, { table: { schema: undefined, table: "t" }, strategy, coerces: false });
    return "columns" in found ? found.columns[0]?.isNullable : undefined;
  });
  assert.deepEqual([add, change], [true, false]);
});

test("a STRICT table rejects exactly the values that do not fit, where texts are coerced", () => {
  const database = new DatabaseSync(":memory:");
  const strict = "CREATE TABLE t (a INTEGER PRIMARY KEY, b INT, c REAL, d TEXT, e BLOB, f ANY) STRICT";
  database.exec(strict);
  const { columns } = tableOf(strict, "t", true);
  const numeral = fc.oneof(
    fc.integer().map(String),
    fc.double({ noNaN: true }).map(String),
    fc.constantFrom(
      "",
      " 12 ",
      "+5",
      "5.",
      ".5",
      ".",
      "1e3",
      "1e400",
      "0x10",
      "12a",
      "9223372036854775807",
      "9223372036854775808",
    ),
    fc.constantFrom("-9223372036854775808", "5.0", "- 5", "\u00a05", "Infinity", "1_000", "\n7"),
  );
  const value = fc.oneof(
    numeral,
    fc.string(),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.boolean(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.constantFrom(2 ** 63, -(2 ** 63), 1.5, 1e300, Infinity),
  );
  fc.assert(
    fc.property(value, fc.constantFrom(...columns), (given, column) => {
      fc.pre(bindingProblem(given) === undefined);
      const insert = database.prepare(`INSERT OR REPLACE INTO t (${column.name}) VALUES (?)`);
      const run = (): unknown => insert.run(toSQLiteValue(given));
      if (column.fit(given).ok) assert.doesNotThrow(run, column.name);
      else assert.throws(run, column.name);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test("the columns of primary keys and unique indexes are keys: a zero at the end of a fraction counts there", () => {
  const table = tableOf("CREATE TABLE t (a NUMERIC, b NUMERIC, c NUMERIC, d REAL UNIQUE, PRIMARY KEY (a, b))");
  const taken = table.columns.map(({ fit }) => fit("1.50").ok);
  assert.deepEqual(taken, [false, false, true, false]);
  assert.ok(table.columns.every(({ fit }) => fit("1.5").ok && fit("-3").ok));
});

test("an array or object is JSON where the column is declared so, and rejected elsewhere", () => {
  const { columns } = tableOf(`
    CREATE TABLE t (a JSON, b JSONB, c TEXT, d, e TEXT CHECK (e IS NULL OR json_valid("e")), f, CHECK (json_valid(f OR 1)))`);
  const given = { tags: ["x"], at: new Date(0), big: 2n ** 60n };
  const text = '{"tags":["x"],"at":"1970-01-01T00:00:00.000Z","big":"1152921504606846976"}';
  assert.deepEqual(
    columns.map(({ fit }) => fit(given)).map((fitted) => (fitted.ok ? fitted.value : undefined)),
    [text, text, undefined, undefined, text, undefined],
  );
  assert.deepEqual(columns[0]?.fit([1, null]), { ok: true, value: "[1,null]" });
  assert.equal(columns[0]?.fit(new Map()).ok, false);
});

test("a check that allows some values only is the column's limit", () => {
  const { columns } =
    tableOf(`CREATE TABLE t (a TEXT CHECK (a IN ('x', 'y''z')), b INTEGER CHECK (b IN (0, 1)), [c d] TEXT,
    e TEXT COLLATE NOCASE CHECK (e IN ('x')), f TEXT CHECK (f IN ('x') AND a = 'x'), CHECK ("c d" IS NULL OR "c d" IN ('p')))`);
  assert.deepEqual(
    columns.map(({ limit }) => limit),
    [{ enum: ["x", "y'z"] }, { enum: [0, 1] }, { enum: ["p"] }, { enum: ["x"] }, {}],
  );
  assert.deepEqual(
    columns.map(({ exceeds }) => exceeds?.(true)).map((problem) => problem === undefined),
    [false, true, false, false, true],
  );
  assert.equal(columns[3]?.exceeds?.("X"), undefined);
});
