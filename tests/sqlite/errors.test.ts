import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { contentFreeMessage, isDataError, isKind, isSQLiteError } from "../../src/sqlite/errors.ts";

const database = new DatabaseSync(":memory:");
database.exec(`
  CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER CHECK (b < 10), c TEXT NOT NULL) STRICT;
  CREATE TRIGGER r BEFORE INSERT ON t WHEN new.b = 5 BEGIN SELECT RAISE(ABORT, 'a secret of mine'); END;
  CREATE TABLE n (id INTEGER PRIMARY KEY);
  INSERT INTO t VALUES ('k', 1, 'x');`);

function errorOf(sql: string): unknown {
  try {
    database.prepare(sql).run();
  } catch (error) {
    return error;
  }
  return assert.fail(`${sql} did not fail`);
}

test("what the data is to blame for is told from all else", () => {
  for (const sql of [
    "INSERT INTO t VALUES ('k', 1, 'x')",
    "INSERT INTO t VALUES ('l', 11, 'x')",
    "INSERT INTO t VALUES ('l', 1, NULL)",
    "INSERT INTO t VALUES ('l', 'text', 'x')",
    "INSERT INTO t VALUES ('l', 5, 'x')",
    "INSERT INTO n VALUES ('text')",
    "INSERT INTO n VALUES (zeroblob(2000000000))",
  ]) {
    assert.equal(isDataError(errorOf(sql)), true, sql);
    assert.equal(isSQLiteError(errorOf(sql)), true, sql);
  }
  assert.equal(isDataError(errorOf("SELECT * FROM missing")), false);
  assert.equal(isKind(errorOf("SELECT * FROM missing"), "error"), true);
  assert.equal(isSQLiteError(new TypeError("x")), false);
  assert.equal(isKind("thrown text", "busy"), false);
});

test("a message names columns and constraints, and hides what may be a value", () => {
  assert.equal(contentFreeMessage(errorOf("INSERT INTO t VALUES ('k', 1, 'x')")), "UNIQUE constraint failed: t.a");
  assert.equal(contentFreeMessage(errorOf("INSERT INTO t VALUES ('l', 5, 'x')")), "a trigger rejected it");
  const path = errorOf("SELECT json_extract('{}', 'a secret')");
  assert.match(String(path), /secret/);
  assert.doesNotMatch(contentFreeMessage(path), /secret/);
  assert.equal(contentFreeMessage(new TypeError("not the database's")), "not the database's");
});
