import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { findTarget, type Target, type TargetRequest } from "../../src/sqlite/target.ts";

function find(sql: string, request: Partial<TargetRequest> = {}): Target {
  const database = new DatabaseSync(":memory:");
  database.exec(sql);
  return findTarget(database, {
    sink: "sqlite",
    databasePath: "/x.db",
    table: "visits",
    columns: ["id", "value"],
    mergeKeys: ["id"],
    strategy: "merge",
    ...request,
  });
}

test("a table that fits gives its own names, and the keys their collation", () => {
  const target = find("CREATE TABLE Visits (ID TEXT COLLATE NOCASE PRIMARY KEY, Value TEXT)");
  assert.equal(target.table, "Visits");
  assert.deepEqual(
    target.columns.map(({ name, mapped }) => [name, mapped]),
    [
      ["ID", "id"],
      ["Value", "value"],
    ],
  );
  assert.deepEqual(
    target.keys.map(({ name, collation }) => [name, collation]),
    [["ID", "NOCASE"]],
  );
});

test("what is not there is named, with what is", () => {
  const table = "CREATE TABLE visits (id TEXT PRIMARY KEY, value TEXT)";
  const problems: [RegExp, string, Partial<TargetRequest>][] = [
    [/there is no table "visit" in \/x\.db; closest: "visits"/, table, { table: "visit" }],
    [/there is no table "wholly_other" .*; there are "visits"/, table, { table: "wholly_other" }],
    [/there is no table "visits" .*; the database has no tables/, "", {}],
    [/no column "valeu"; its columns are "id", "value"; closest: "value"/, table, { columns: ["id", "valeu"] }],
    [/is a view and not a table/, "CREATE VIEW visits AS SELECT 1 AS id, 2 AS value", {}],
    [/is a virtual and not a table/, "CREATE VIRTUAL TABLE visits USING fts5(id, value)", {}],
    [/"value" of "visits" is generated/, "CREATE TABLE visits (id TEXT PRIMARY KEY, value AS (id))", {}],
  ];
  for (const [message, sql, request] of problems)
    assert.throws(() => find(sql, request), { name: "TargetError", message });
});

test("columns that a new row would lack are named, but an update needs none", () => {
  const sql =
    "CREATE TABLE visits (k INTEGER PRIMARY KEY, id TEXT UNIQUE, value, a NOT NULL, b NOT NULL DEFAULT 1, c NOT NULL)";
  assert.throws(() => find(sql), /NOT NULL without a default and not in the columnMap: "a", "c"/);
  assert.throws(() => find(sql, { strategy: "insert", mergeKeys: [] }), /"a", "c"/);
  assert.equal(find(sql, { strategy: "update" }).keys.length, 1);
});

test("merge keys without a unique index of their own are refused with the statement that creates it", () => {
  const create = 'CREATE UNIQUE INDEX "visits_id_unique" ON "visits" ("id");';
  for (const strategy of ["merge", "update"] as const) {
    for (const sql of [
      "CREATE TABLE visits (id TEXT, value TEXT)",
      "CREATE TABLE visits (id TEXT, value TEXT, PRIMARY KEY (id, value))",
      "CREATE TABLE visits (id TEXT, value TEXT); CREATE UNIQUE INDEX i ON visits (id) WHERE value > 0",
      "CREATE TABLE visits (id TEXT, value TEXT); CREATE UNIQUE INDEX i ON visits (upper(id))",
    ]) {
      assert.throws(
        () => find(sql, { strategy }),
        (error: Error) => error.message.includes(create),
        sql,
      );
    }
  }
  assert.deepEqual(find("CREATE TABLE visits (id, value)", { strategy: "insert", mergeKeys: [] }).keys, []);
});

test("the statement that is printed runs and makes the target fit", () => {
  const table = 'CREATE TABLE "vis""its" ("i]d" TEXT, value TEXT);';
  const request = { table: 'vis"its', columns: ["i]d", "value"], mergeKeys: ["i]d", "value"] };
  let create = "";
  assert.throws(
    () => find(table, request),
    (error: Error) => {
      create = /CREATE UNIQUE INDEX .*;$/.exec(error.message)?.[0] ?? "";
      return true;
    },
  );
  assert.equal(find(table + create, request).keys.length, 2);
});
