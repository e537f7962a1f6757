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

test("of a description the first error that says what is wrong is told, in the server's words", () => {
  const first = serverError(208, "Invalid object name 'dbo.visitors'.", 3);
  const last = serverError(
    11_529,
    "The metadata could not be determined because every code path results in an error.",
    1,
    [first],
  );
  assert.equal(describeProblem(last, place).problem, "error 208 in line 3: Invalid object name 'dbo.visitors'.");
  const alone = serverError(11_526, "The metadata could not be determined because statement 'x' uses a temp table.", 0);
  assert.match(describeProblem(alone, place).problem, /^error 11526: The metadata/);
});

test("of a statement that runs the server's words stand in the detail, unless they are only names", () => {
  const conversion = serverError(
    245,
    "Conversion failed when converting the nvarchar value 'secret' to data type int.",
    2,
  );
  const { problem, detail } = runProblem(conversion, place);
  assert.match(problem, /^error 245 in line 2: a text can't be converted to the type/);
  assert.doesNotMatch(problem, /secret/);
  assert.match(detail, /secret/);
  assert.match(
    runProblem(serverError(50_000, "raised: secret"), place).problem,
    /^error 50000 in line 1: its text may hold content/,
  );
  const denied = "The SELECT permission was denied on the object 'visits'.";
  assert.equal(runProblem(serverError(229, denied), place).problem, `error 229 in line 1: ${denied}`);
  assert.match(runProblem(serverError(11_535, "…"), place).problem, /several result sets; expected one query/);
});

test("a broken connection is told with its server and the driver's code", () => {
  const broken = Object.assign(new Error("Connection lost - socket hang up"), {
    name: "RequestError",
    code: "ESOCKET",
  });
  assert.equal(runProblem(broken, place).problem, "the connection to SQL Server at db,1433 broke (ESOCKET)");
  assert.match(runProblem(broken, place).detail, /socket hang up/);
  assert.match(describeProblem(new TypeError("odd"), place).problem, /broke \(odd\)/);
});

test("a statement that took too long is told apart from a connection that did", () => {
  const timeout = Object.assign(new Error("Timeout: Request failed to complete in 120000ms"), {
    name: "RequestError",
    code: "ETIMEOUT",
  });
  assert.ok(isRequestTimeout(timeout));
  assert.match(runProblem(timeout, place).problem, /no answer within the time for a statement; .*Command Timeout/);
  assert.ok(
    !isRequestTimeout(Object.assign(new Error("Failed to connect"), { name: "ConnectionError", code: "ETIMEOUT" })),
  );
  assert.ok(!isRequestTimeout("ETIMEOUT"));
});
