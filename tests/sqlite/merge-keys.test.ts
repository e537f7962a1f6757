import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { MergeKeys } from "../../src/sqlite/merge-keys.ts";
import { findTarget } from "../../src/sqlite/target.ts";

function keysOf(sql: string, mergeKeys: readonly string[]): MergeKeys {
  const database = new DatabaseSync(":memory:");
  database.exec(sql);
  const columns = mergeKeys;
  const request = { sink: "sqlite", databasePath: "x", table: "t", columns, mergeKeys, strategy: "merge" } as const;
  return new MergeKeys(findTarget(database, request).keys);
}

test("a key is new once", () => {
  const keys = keysOf("CREATE TABLE t (a TEXT, b TEXT, PRIMARY KEY (a, b))", ["a", "b"]);
  assert.equal(keys.add({ a: "1", b: "2" }), true);
  assert.equal(keys.add({ a: "2", b: "1" }), true);
  assert.equal(keys.add({ a: "1", b: "2" }), false);
  keys.close();
  keys.close();
});

test("keys are equal where the column's affinity makes them equal", () => {
  const integers = keysOf("CREATE TABLE t (a INTEGER PRIMARY KEY)", ["a"]);
  assert.deepEqual(
    [5, "5", 5n, " 5 ", "6"].map((a) => integers.add({ a })),
    [true, false, false, false, true],
  );
  const untyped = keysOf("CREATE TABLE t (a PRIMARY KEY)", ["a"]);
  assert.deepEqual(
    [5, "5"].map((a) => untyped.add({ a })),
    [true, true],
  );
});

test("keys are equal where the index's collation makes them equal", () => {
  const folded = keysOf("CREATE TABLE t (a TEXT); CREATE UNIQUE INDEX i ON t (a COLLATE NOCASE)", ["a"]);
  assert.deepEqual(
    ["key", "KEY", "key "].map((a) => folded.add({ a })),
    [true, false, true],
  );
  const trimmed = keysOf("CREATE TABLE t (a TEXT COLLATE RTRIM PRIMARY KEY)", ["a"]);
  assert.deepEqual(
    ["key", "KEY", "key "].map((a) => trimmed.add({ a })),
    [true, true, false],
  );
});
