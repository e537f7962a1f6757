import assert from "node:assert/strict";
import { test } from "node:test";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { asJournalError } from "../../../src/sqlite/journal/failure.ts";

function sqliteError(errcode: number): Error {
  return Object.assign(new Error("as SQLite words it"), { errcode });
}

test("each kind of failure says what to do about it, and keeps its cause", () => {
  const cases: readonly (readonly [number, RegExp])[] = [
    [11, /is damaged: restore a copy, or move it away/],
    [26, /is damaged/],
    [5, /locked by another program: end its transaction/],
    [13, /is the disk full\? Free space and run again/],
    [778, /is the disk full\?/], // SQLITE_IOERR_WRITE
    [14, /check who may write to it and to its folder, or give the journal another path/],
    [8, /check who may write/],
  ];
  for (const [errcode, expected] of cases) {
    const cause = sqliteError(errcode);
    const error = asJournalError("/a/j.db", cause);
    assert.equal(error.code, "JOURNAL_FAILED");
    assert.equal(error.scope, "run");
    assert.equal(error.cause, cause);
    assert.match(error.message, /^the journal \/a\/j\.db /);
    assert.match(error.message, expected);
  }
});

test("an error of ours stays as it is", () => {
  const error = new RunError("JOURNAL_IN_USE", "in use");
  assert.equal(asJournalError("/a/j.db", error), error);
});
