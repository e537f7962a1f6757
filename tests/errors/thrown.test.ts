import assert from "node:assert/strict";
import { test } from "node:test";
import { asLLMEtlError, describeThrown, placeOf, problemOf, thrownBy, thrownDetail } from "../../src/errors/thrown.ts";
import { RowError } from "../../src/index.ts";

const secret = "Jane Roe\n    at Jane Roe (file:///secret.ts:1:1)";
const here = /^tests.*thrown\.test\.ts:\d+$/;

/** An error with these lines as its stack. */
function withFrames(...lines: readonly string[]): Error {
  return Object.assign(new Error("no"), { stack: ["Error: no", ...lines.map((line) => `    at ${line}`)].join("\n") });
}

test("an error is told by class, code, file and line, and its words are in the detail only", () => {
  const error = Object.assign(new TypeError(secret), { code: "ERR_ASSERTION" });
  assert.match(String(thrownBy(error).place), here);
  assert.match(describeThrown(error), /^TypeError \[ERR_ASSERTION\] at tests.*thrown\.test\.ts:\d+$/);
  assert.match(thrownDetail(error), /Jane Roe/);
  const { problem, options } = problemOf(error);
  assert.ok(!problem.includes("Jane Roe") && options.detail?.includes("Jane Roe") === true, problem);
  const wrapped = asLLMEtlError(error);
  assert.deepEqual([wrapped.code, wrapped.scope, wrapped.cause], ["INTERNAL_ERROR", "run", error]);
  assert.ok(!wrapped.message.includes("Jane Roe"), wrapped.message);
});

test("an error of ours stays as it is, with its own message", () => {
  const ours = new RowError("OWN", "own words", { detail: secret });
  assert.equal(asLLMEtlError(ours), ours);
  assert.deepEqual(problemOf(ours), { problem: "own words", options: { cause: ours, detail: secret } });
});

test("a name or a code that was made from data is not told", () => {
  const named = Object.assign(new RangeError("x"), { name: "no such patient: Jane Roe", code: "Jane Roe" });
  assert.match(describeThrown(named), /^RangeError at /);
  const unnamed = Object.assign(Object.create(Error.prototype), { name: "Jane Roe", constructor: undefined });
  assert.equal(describeThrown(unnamed), "Error");
  assert.equal(describeThrown("Jane Roe"), "a string");
  assert.equal(describeThrown(undefined), "a undefined");
});

test("what can't even be looked at has a name", () => {
  const hostile = (name: string): Error =>
    Object.defineProperty(new Error("x"), name, { get: () => assert.fail("Jane Roe") });
  for (const name of ["name", "stack", "message"]) assert.equal(thrownBy(hostile(name)).thrown.includes("Jane"), false);
  const proxy: unknown = new Proxy(new Error("x"), { get: () => assert.fail("Jane Roe") });
  assert.deepEqual(thrownBy(proxy), { thrown: "an object", place: undefined });
});

test("the place is the first frame that is the user's: module, CommonJS, asynchronous, a path with blanks", () => {
  if (process.platform === "win32") return;
  const own = new URL("../../src/engine/engine.ts", import.meta.url);
  const skipped = ["node:internal/a:1:2", `run (${own.href}:3:4)`, "parse (file:///app/node_modules/zod/index.js:1:1)"];
  for (const [line, place] of [
    ["focus (file:///app/my%20pipeline.ts:3:23)", "/app/my pipeline.ts:3"],
    ["Object.focus (/app/pipeline.cjs:31:9)", "/app/pipeline.cjs:31"],
    ["async file:///app/pipeline.ts:7:1", "/app/pipeline.ts:7"],
    ["async Object.read (file:///app/source.ts:8:1)", "/app/source.ts:8"],
    ["/app/pipeline.js:9:1", "/app/pipeline.js:9"],
  ] as const) {
    assert.equal(placeOf(withFrames(...skipped, line)), place, line);
  }
  assert.equal(placeOf(withFrames(...skipped)), undefined);
});

test("a message that looks like frames, also one that was changed afterwards, is no place", () => {
  assert.match(String(thrownBy(new Error(secret)).place), here);
  const changed = new Error(secret);
  changed.message = "other words";
  assert.match(String(thrownBy(changed).place), here);
});
