import assert from "node:assert/strict";
import { test } from "node:test";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { failsWith } from "../../support/error-facts.ts";
import { asJournalError } from "../../../src/sqlite/journal/failure.ts";

function sqliteError(errcode: number): Error {
  return Object.assign(new Error("as SQLite words it"), { errcode });
}

test("each kind of failure says what to do about it, and keeps its cause", () => {
  const cases: readonly (readonly [number, string])[] = [
    [11, "damaged"],
    [26, "damaged"],
    [5, "locked"],
    [13, "full"],
    [778, "full"], // SQLITE_IOERR_WRITE
    [14, "inaccessible"],
    [8, "inaccessible"],
  ];
  for (const [errcode, problem] of cases) {
    const cause = sqliteError(errcode);
    const error = asJournalError("/a/j.db", cause);
    failsWith("JOURNAL_FAILED", { where: "/a/j.db", problem })(error);
    assert.equal(error.scope, "run");
    assert.equal(error.cause, cause);
    assert.ok(error.facts.hint);
  }
});

test("an error of ours stays as it is", () => {
  const error = new RunError("JOURNAL_IN_USE", "in use");
  assert.equal(asJournalError("/a/j.db", error), error);
});
