import assert from "node:assert/strict";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SourceError } from "../../src/errors/source.ts";
import {
  type Fail,
  openDatabase,
  requireDatabaseFile,
  requireWritable,
  setWAL,
  untilUnlocked,
} from "../../src/sqlite/open.ts";
import { failsWith } from "../support/error-facts.ts";
import { noAbort, temporaryDatabase, temporaryFolder } from "../support/sqlite.ts";

const fail: Fail = (problem, options) => new SourceError("sqlite", problem, options);

test("a file that is missing or a folder is refused by its absolute path", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "file"), "");
  const cases = [
    [join(folder, "none.db"), { code: "ENOENT" }],
    [folder, { isFile: false }],
    [join(folder, "file", "below.db"), { code: "ENOTDIR" }],
    [join(folder, "x".repeat(5000)), { code: "ENAMETOOLONG" }],
  ] as const;
  for (const [path, facts] of cases) {
    await assert.rejects(requireDatabaseFile(path, fail), failsWith("SOURCE_FAILED", { where: path, ...facts }));
  }
});

test("a file that is no database is refused", (t) => {
  const path = join(temporaryFolder(t), "notes.txt");
  writeFileSync(path, "these are notes, and not a database at all\n".repeat(50));
  assert.throws(() => openDatabase(path, true, fail), failsWith("SOURCE_FAILED", { where: path, errorNumber: 26 }));
});

test("a lock that is freed is waited for, and the event loop goes on meanwhile", async (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a)");
  const [holder, waiter] = [new DatabaseSync(path), new DatabaseSync(path)];
  holder.exec("BEGIN IMMEDIATE");
  const waiting = untilUnlocked(() => waiter.exec("BEGIN IMMEDIATE"), noAbort());
  await new Promise(setImmediate);
  holder.exec("COMMIT");
  await waiting;
  assert.equal(waiter.isTransaction, true);
  holder.close();
  waiter.close();
});

test("a lock that is not freed is given up in the end", async () => {
  const busy = Object.assign(new Error("database is locked"), { errcode: 5 });
  let attempts = 0;
  const waiting = untilUnlocked(
    () => {
      attempts += 1;
      throw busy;
    },
    noAbort(),
    40,
  );
  await assert.rejects(waiting, busy);
  assert.ok(attempts > 2);
});

test("an abort ends the wait with its own reason, but does not stop an attempt that need not wait", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const busy = Object.assign(new Error("database is locked"), { errcode: 261 });
  const waiting = untilUnlocked(() => {
    throw busy;
  }, controller.signal);
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  assert.equal(await untilUnlocked(() => "done", AbortSignal.abort()), "done");
});

test("a database that takes no writes is refused", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a)");
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([3]), 0, 1, 18); // a write version of the future: SQLite then only reads
  closeSync(file);
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  assert.throws(
    () => requireWritable(database, path, fail),
    failsWith("SOURCE_FAILED", { where: path, errorNumber: 8 }),
  );
  assert.equal(database.isTransaction, false);
});

test("a connection that is set to query only is refused", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a)");
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  database.exec("PRAGMA query_only = ON");
  assert.throws(
    () => requireWritable(database, path, fail),
    failsWith("SOURCE_FAILED", { where: path, errorNumber: 8 }),
  );
});

test("finding that a database can be written leaves it as it was", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a); PRAGMA user_version = 7");
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  requireWritable(database, path, fail);
  assert.equal(database.isTransaction, false);
  assert.equal(database.prepare("PRAGMA user_version").get()?.["user_version"], 7);
});

test("in WAL a commit is on the disk when it returns, also where SQLite was built or set to do with less", (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (a)");
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  database.exec("PRAGMA synchronous = NORMAL"); // the default of builds with SQLITE_DEFAULT_WAL_SYNCHRONOUS=1
  setWAL(database, path, fail);
  assert.equal(database.prepare("PRAGMA synchronous").get()?.["synchronous"], 2);
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
  assert.throws(
    () => setWAL(database, ":memory:", fail),
    failsWith("SOURCE_FAILED", { where: ":memory:", journalMode: "memory" }),
  );
});
