import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import * as fc from "fast-check";
import { misfitOf } from "../../src/sqlite/column-fit.ts";
import { describeTable } from "../../src/sqlite/table.ts";
import { bindingProblem, toSQLiteValue } from "../../src/sqlite/values.ts";

test("a STRICT table refuses exactly the values that are called misfits", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b INT, c REAL, d TEXT, e BLOB, f ANY) STRICT");
  const columns = describeTable(database, "t")?.columns ?? [];
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
      if (misfitOf(given, column, true) === undefined) assert.doesNotThrow(run, column.name);
      else assert.throws(run, column.name);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test("NULL and undefined fit where NULL is allowed", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (a TEXT)");
  const [column] = describeTable(database, "t")?.columns ?? [];
  assert.ok(column);
  for (const value of [null, undefined]) {
    assert.equal(misfitOf(value, column, true), undefined);
    assert.equal(misfitOf(value, column, false), "the column is NOT NULL, got NULL");
  }
  assert.equal(misfitOf({ a: "secret" }, column, true), "SQLite can't hold an object");
});
