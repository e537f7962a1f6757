import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { lockJournal, openJournal } from "../../../src/sqlite/journal/open.ts";
import { migrate } from "../../../src/sqlite/journal/schema.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const { signal } = new AbortController();
const folder = temporaryFolder();

test("a journal has its tables before it has its name", async () => {
  const path = join(folder, "new", "journal.db");
  const lock = await lockJournal(path, signal);
  const database = await openJournal(path);
  const inMemory = new DatabaseSync(":memory:");
  migrate(inMemory, path);
  const tablesOf = (each: DatabaseSync) => each.prepare("SELECT name FROM sqlite_schema ORDER BY name").all();
  assert.ok(tablesOf(database).length > 6);
  assert.deepEqual(tablesOf(database), tablesOf(inMemory));
  assert.equal(existsSync(`${path}.new`), false);
  database.close();
  await lock.release();
});

test("the lock waits out somebody who only looks, and refuses who comes while it is held", async () => {
  const path = join(folder, "lock", "journal.db");
  const looking = await lockJournal(path, signal);
  setTimeout(() => void looking.release(), 40);
  const lock = await lockJournal(path, signal);
  await assert.rejects(lockJournal(path, signal), {
    code: "JOURNAL_IN_USE",
    message: /in use by another process; wait until/,
  });
  await lock.release();
});
