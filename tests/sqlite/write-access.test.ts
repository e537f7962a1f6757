import assert from "node:assert/strict";
import { closeSync, openSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SinkError } from "../../src/errors/sink.ts";
import type { Fail } from "../../src/sqlite/open.ts";
import { requireWritable, setWAL } from "../../src/sqlite/write-access.ts";
import { temporaryDatabase } from "../support/sqlite.ts";

const fail: Fail = (problem, options) => new SinkError("sqlite", problem, options);

test("a database that takes no writes is refused", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a)");
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([3]), 0, 1, 18); // a write version of the future: SQLite then only reads
  closeSync(file);
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  assert.throws(() => requireWritable(database, path, fail), {
    name: "SinkError",
    message: /is read-only; look at the perm/,
  });
  assert.equal(database.isTransaction, false);
});

test("a connection that is set to query only is refused", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a)");
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  database.exec("PRAGMA query_only = ON");
  assert.throws(() => requireWritable(database, path, fail), /is read-only/);
});

test("finding that a database can be written leaves it as it was", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a); PRAGMA user_version = 7");
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  requireWritable(database, path, fail);
  assert.equal(database.isTransaction, false);
  assert.equal(database.prepare("PRAGMA user_version").get()?.["user_version"], 7);
});

test("WAL stays on for those who open the file later", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a)");
  const database = new DatabaseSync(path);
  setWAL(database, path, fail);
  assert.equal(database.prepare("PRAGMA synchronous").get()?.["synchronous"], 2);
  database.close();
  const later = new DatabaseSync(path);
  t.after(() => later.close());
  assert.equal(later.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
});

test("a database that can't be set to WAL is refused with the mode it has", () => {
  const database = new DatabaseSync(":memory:");
  assert.throws(() => setWAL(database, ":memory:", fail), /can't be set to WAL, its journal mode stays "memory"/);
});
