import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorOptions, LLMEtlError } from "../../../src/errors/llm-etl-error.ts";
import { SinkDataError, SinkError } from "../../../src/errors/sink.ts";
import { CommitInDoubtError } from "../../../src/sql-server/connect/transaction.ts";
import { explainWrite, isPassing } from "../../../src/sql-server/write/write-errors.ts";

const context = {
  sink: "sql-server",
  target: { table: "[dbo].[t]", names: new Set(["summary"]) },
  fail: (problem: string, options?: ErrorOptions): SinkError => new SinkError("sql-server", problem, options),
  timeoutMs: 300_000,
};

function explained(cause: unknown): LLMEtlError {
  const error = explainWrite(cause, context);
  assert.ok(error instanceof LLMEtlError);
  return error;
}

const serverError = (number: number, message = "a secret"): Error => Object.assign(new Error(message), { number });

test("a commit in doubt is passing, whatever broke it, but for what the server says by number", () => {
  assert.equal(isPassing(new CommitInDoubtError(new Error("gone"))), true);
  assert.equal(isPassing(new CommitInDoubtError(serverError(1205))), true);
  assert.equal(isPassing(new CommitInDoubtError(serverError(3902))), false);
});

test("an error of ours is neither passing nor explained again", () => {
  const ours = new SinkDataError("sql-server", "x", { cause: serverError(1205) });
  assert.equal(isPassing(ours), false);
  assert.equal(explainWrite(ours, context), ours);
});

test("bad data is a row error, a passing fault that lasted a resumable run error, the rest names its number and remedy", () => {
  const refused = explained(serverError(515, "Cannot insert the value NULL into column 'summary', a secret"));
  assert.equal(refused.name, "SinkDataError");
  assert.equal(
    refused.message,
    'sql-server: the server refused a row: error 515, NULL for a column that is NOT NULL (the column "summary")',
  );
  assert.match(
    explained(serverError(40_613)).message,
    /took no batch for 300 seconds \(error 40613\); what was written is kept; run again/,
  );
  assert.match(
    explained(serverError(9002)).message,
    /\[dbo\]\.\[t\] can't be written \(error 9002\): the log of the database is full$/,
  );
  assert.match(explained(new Error("a secret")).message, /can't be written \(no error number\)$/);
  for (const number of [515, 40_613, 9002, 777]) {
    const error = explained(serverError(number));
    assert.doesNotMatch(error.message, /secret/);
    assert.match(error.detail, /secret/);
  }
});
