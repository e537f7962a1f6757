import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { lockError, lockFile } from "../../src/files/file-lock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

test("a lock is held by one, until it is released; its file stays, so that no two files can be held", async () => {
  const path = join(folder, "one");
  const lock = lockFile(path);
  assert.ok(lock);
  assert.equal(lockFile(path), undefined);
  await lock.release();
  await lock.release();
  assert.equal(existsSync(path), true);
  const next = lockFile(path);
  assert.ok(next);
  await next.release();
});

test("a file that is no lock's is not taken for one", () => {
  const path = join(folder, "garbage");
  writeFileSync(path, "no database".repeat(100));
  assert.throws(() => lockFile(path), { code: "LOCK_DAMAGED", message: /garbage/ });
});

test("a file system without locks, and a file that may not be opened, are told from a lock that is held", () => {
  const codeOf = (errcode: number): unknown => {
    const error = lockError(Object.assign(new Error("from SQLite"), { errcode }), "/x/one");
    return error instanceof Error && "code" in error ? error.code : "as it was";
  };
  assert.equal(codeOf(3850), "NO_LOCKS"); // SQLITE_IOERR_LOCK
  assert.equal(codeOf(14), "LOCK_INACCESSIBLE"); // SQLITE_CANTOPEN
  assert.equal(codeOf(1), "as it was");
  assert.throws(() => lockFile(folder), { code: "LOCK_INACCESSIBLE" });
});

test("a file system without locks is passed over with a warning, or rejected where that is asked for", async (t) => {
  const warnings: Error[] = [];
  t.mock.method(process, "emitWarning", (warning: Error) => warnings.push(warning));
  t.mock.method(DatabaseSync.prototype, "exec", () => {
    throw Object.assign(new Error("disk I/O error"), { errcode: 3850 }); // SQLITE_IOERR_LOCK
  });
  const lock = lockFile(join(folder, "unlockable"));
  assert.ok(lock);
  assert.equal(warnings.length, 1);
  await lock.release();
  assert.throws(() => lockFile(join(folder, "unlockable"), "reject"), { code: "NO_LOCKS" });
});
