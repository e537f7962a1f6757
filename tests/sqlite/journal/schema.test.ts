import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { failsWith } from "../../support/error-facts.ts";
import { migrate, requireJournal } from "../../../src/sqlite/journal/schema.ts";

const steps = [
  "CREATE TABLE answers (text TEXT); PRAGMA application_id = 0x6c6c6574",
  "ALTER TABLE answers ADD COLUMN model TEXT; UPDATE answers SET model = 'unknown'",
  "CREATE TABLE rows (pk)",
];

function versionOf(database: DatabaseSync): unknown {
  return database.prepare("PRAGMA user_version").get()?.["user_version"];
}

test("a journal of any older version is brought to the newest, and keeps what it has", () => {
  const database = new DatabaseSync(":memory:");
  migrate(database, "j.db", steps.slice(0, 1));
  database.exec("INSERT INTO answers VALUES ('kept')");
  migrate(database, "j.db", steps);
  assert.deepEqual({ ...database.prepare("SELECT * FROM answers").get() }, { text: "kept", model: "unknown" });
  assert.equal(versionOf(database), 3);
  migrate(database, "j.db", steps);
  assert.equal(versionOf(database), 3);
});

test("a step that fails leaves the journal in the version before it", () => {
  const database = new DatabaseSync(":memory:");
  migrate(database, "j.db", steps.slice(0, 1));
  const broken = [...steps.slice(0, 1), "CREATE TABLE rows (pk); INSERT INTO nowhere VALUES (1)"];
  assert.throws(() => migrate(database, "j.db", broken), /nowhere/);
  database.exec("ROLLBACK"); // what closing the database does
  assert.equal(versionOf(database), 1);
  migrate(database, "j.db", steps);
  assert.equal(versionOf(database), 3);
});

test("what is newer, or no journal at all, is refused and not touched", () => {
  const newer = new DatabaseSync(":memory:");
  migrate(newer, "j.db", steps);
  assert.throws(
    () => migrate(newer, "j.db", steps.slice(0, 2)),
    failsWith("JOURNAL_FAILED", { where: "j.db", problem: "newer", version: 3, newest: 2 }),
  );
  const foreign = new DatabaseSync(":memory:");
  foreign.exec("CREATE TABLE customers (id); PRAGMA user_version = 1");
  assert.throws(() => migrate(foreign, "j.db"), failsWith("JOURNAL_FAILED", { problem: "foreign" }));
  assert.throws(() => requireJournal(foreign, "j.db"), { code: "JOURNAL_FAILED" });
});
