import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { findTarget, type Strategy } from "../../src/sqlite/target.ts";
import { writeStatement } from "../../src/sqlite/write-statement.ts";

function sqlOf(strategy: Strategy, columns: readonly string[], mergeKeys: readonly string[]): [string, string[]] {
  const database = new DatabaseSync(":memory:");
  database.exec('CREATE TABLE "t""x" (id TEXT PRIMARY KEY COLLATE NOCASE, "a""b" TEXT, c TEXT)');
  const target = findTarget(database, { sink: "s", databasePath: "x", table: 't"x', columns, mergeKeys, strategy });
  const statement = writeStatement(target);
  assert.doesNotThrow(() => database.prepare(statement.sql));
  return [statement.sql, statement.columns.map(({ mapped }) => mapped)];
}

test("each strategy has its statement, with names quoted and values as parameters", () => {
  assert.deepEqual(sqlOf("insert", ["id", 'a"b'], []), [
    'INSERT OR ABORT INTO "main"."t""x" ("id", "a""b") VALUES (?, ?)',
    ["id", 'a"b'],
  ]);
  assert.deepEqual(sqlOf("merge", ["c", "id"], ["id"]), [
    'INSERT OR ABORT INTO "main"."t""x" ("c", "id") VALUES (?, ?) ' +
      'ON CONFLICT ("id" COLLATE "NOCASE") DO UPDATE SET "c" = excluded."c"',
    ["c", "id"],
  ]);
  assert.deepEqual(sqlOf("update", ["id", "c"], ["id"]), [
    'UPDATE OR ABORT "main"."t""x" SET "c" = ? WHERE "id" = ? COLLATE "NOCASE"',
    ["c", "id"],
  ]);
});

test("merging a table of keys alone is a statement too", () => {
  assert.match(sqlOf("merge", ["id"], ["id"])[0], /DO UPDATE SET "id" = excluded\."id"$/);
});
