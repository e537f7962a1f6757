import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { Answers } from "../../../src/sqlite/journal/answers.ts";
import { migrate } from "../../../src/sqlite/journal/schema.ts";

const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
const stored = (text: string) => ({ text, finishReason: "stop", model: "mock", usage, runId: "run-1" }) as const;

function newDatabase(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  migrate(database, "j.db");
  return database;
}

/** A fingerprint; those of one `beginning` stand at one place of the index. */
function fingerprint(number: number, beginning = number): string {
  return beginning.toString(16).padStart(16, "0") + number.toString(16).padStart(48, "0");
}

function countIn(database: DatabaseSync, table: string): number {
  return Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.["count"]);
}

test("answers are found before and after they are indexed, and by who opens the journal in between", () => {
  const database = newDatabase();
  const answers = new Answers(database);
  for (let number = 0; number < 100; number += 1) answers.save(fingerprint(number), stored(`${number}`));
  assert.equal(countIn(database, "fingerprints"), 0);
  const afterACrash = new Answers(database);
  for (const one of [answers, afterACrash]) assert.deepEqual(one.find(fingerprint(42)), stored("42"));
  afterACrash.index(1);
  assert.equal(countIn(database, "fingerprints"), 100);
  for (const one of [afterACrash, new Answers(database)]) assert.deepEqual(one.find(fingerprint(42)), stored("42"));
  assert.equal(answers.find(fingerprint(100)), undefined);
});

test("few answers wait for the index, many do not", () => {
  const database = newDatabase();
  const answers = new Answers(database);
  database.exec("BEGIN");
  for (let number = 0; number < 16_384; number += 1) answers.save(fingerprint(number), stored(""));
  database.exec("COMMIT");
  answers.save(fingerprint(0), stored("again"));
  answers.index();
  assert.equal(countIn(database, "fingerprints"), 16_384);
  assert.deepEqual(answers.find(fingerprint(0)), stored("again"));
  answers.save(fingerprint(1), stored("later"));
  answers.index();
  assert.equal(countIn(database, "fingerprints"), 16_384);
  assert.deepEqual(answers.find(fingerprint(1)), stored("later"));
});

test("what was rolled back is not found, also where its number is given to another answer", () => {
  const database = newDatabase();
  const answers = new Answers(database);
  database.exec("BEGIN");
  answers.save(fingerprint(1), stored("lost"));
  database.exec("ROLLBACK");
  answers.save(fingerprint(2), stored("kept"));
  assert.equal(answers.find(fingerprint(1)), undefined);
  answers.index(1);
  assert.equal(answers.find(fingerprint(1)), undefined);
  assert.deepEqual(answers.find(fingerprint(2)), stored("kept"));
});

/** A transaction that fails. */
function undo(database: DatabaseSync, answers: Answers, key: string): void {
  database.exec("BEGIN");
  answers.save(key, stored("undone"));
  answers.save(key, stored("undone again"));
  answers.forget(fingerprint(1, 1));
  database.exec("ROLLBACK");
  answers.undone();
}

test("of a fingerprint that an earlier version left with several answers, the newest stays", () => {
  const database = newDatabase();
  const [one, other] = [fingerprint(1), fingerprint(2)];
  const add = database.prepare("INSERT INTO answers VALUES (?, ?, ?, 'stop', 'mock', 1, 0, 1, 0, 'run-1', NULL)");
  for (const [index, [key, text]] of [
    [one, "old"],
    [other, "other"],
    [one, "new"],
  ].entries())
    add.run(index + 1, Buffer.from(`${key}`, "hex"), `${text}`);
  database.exec(
    "DROP TABLE children; DROP TABLE spending; DROP TABLE reservations; ALTER TABLE answers DROP COLUMN usage_details; PRAGMA user_version = 3",
  );
  migrate(database, "j.db");
  assert.equal(countIn(database, "answers"), 2);
  const answers = new Answers(database);
  assert.deepEqual([answers.find(one)?.text, answers.find(other)?.text], ["new", "other"]);
});

test("whatever is kept, forgotten, undone, indexed and reopened in any order, the last word on a fingerprint counts", () => {
  const action = fc.record({
    what: fc.constantFrom("keep", "keep", "keep", "forget", "index", "reopen", "undo"),
    number: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const database = newDatabase();
      let answers = new Answers(database);
      const expected = new Map<number, string>();
      for (const [index, { what, number }] of actions.entries()) {
        const key = fingerprint(number, number % 2); // three fingerprints share a beginning
        if (what === "keep") answers.save(key, stored(`${index}`));
        if (what === "keep") expected.set(number, `${index}`);
        if (what === "forget") answers.forget(key);
        if (what === "forget") expected.delete(number);
        if (what === "index") answers.index(1);
        if (what === "reopen") answers = new Answers(database);
        if (what === "undo") undo(database, answers, key);
        for (let one = 0; one <= 5; one += 1) {
          assert.equal(answers.find(fingerprint(one, one % 2))?.text, expected.get(one));
        }
        if (what === "index") assert.equal(countIn(database, "answers"), expected.size, "one for each fingerprint");
      }
      database.close();
    }),
    { numRuns: 300, seed: 1 },
  );
});
