import assert from "node:assert/strict";
import { test } from "node:test";
import { describeProblem, isRequestTimeout, runProblem } from "../../../src/sql-server/read/read-errors.ts";

const place = { server: "db,1433", database: "clinic" };

function serverError(number: number, message: string, lineNumber = 1, precedingErrors: readonly Error[] = []): Error {
  return Object.assign(new Error(message), {
    name: "RequestError",
    code: "EREQUEST",
    number,
    lineNumber,
    precedingErrors,
  });
}

test("of a description the first error that says what is wrong is reported, in the server's words", () => {
  const text = "Invalid object name 'dbo.visitors'.";
  const last = serverError(11_529, "The metadata could not be determined.", 1, [serverError(208, text, 3)]);
  const { problem } = describeProblem(last, place);
  for (const part of ["208", "line 3", text]) assert.ok(problem.includes(part));
  const alone = serverError(11_526, "The metadata could not be determined because statement 'x' uses a temp table.", 0);
  assert.ok(describeProblem(alone, place).problem.includes("11526"));
});

test("of a statement that runs the server's words are in the detail, unless they are only names", () => {
  for (const number of [245, 50_000]) {
    const { problem, detail } = runProblem(serverError(number, "the nvarchar value 'secret'", 2), place);
    assert.ok(problem.includes(`error ${number} in line 2`) && !problem.includes("secret"));
    assert.ok(detail.includes("secret"));
  }
  const denied = "The SELECT permission was denied on the object 'visits'.";
  assert.ok(runProblem(serverError(229, denied), place).problem.includes(denied));
});

test("a broken connection is reported with its server and the driver's code", () => {
  const broken = Object.assign(new Error("Connection lost - socket hang up"), {
    name: "RequestError",
    code: "ESOCKET",
  });
  const { problem, detail } = runProblem(broken, place);
  assert.ok(problem.includes("db,1433") && problem.includes("ESOCKET"));
  assert.ok(detail.includes("socket hang up"));
  assert.ok(describeProblem(new TypeError("odd"), place).problem.includes("odd"));
});

test("a statement that took too long is not taken for a connection that did", () => {
  const timeout = Object.assign(new Error("Timeout: Request failed to complete in 120000ms"), {
    name: "RequestError",
    code: "ETIMEOUT",
  });
  assert.ok(isRequestTimeout(timeout));
  assert.match(runProblem(timeout, place).hint ?? "", /Command Timeout/);
  assert.ok(
    !isRequestTimeout(Object.assign(new Error("Failed to connect"), { name: "ConnectionError", code: "ETIMEOUT" })),
  );
  assert.ok(!isRequestTimeout("ETIMEOUT"));
});
