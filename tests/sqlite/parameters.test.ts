import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";
import { bindParameters } from "../../src/sqlite/parameters.ts";
import type { Parameters } from "../../src/contracts/source.ts";
import { failsWith } from "../support/error-facts.ts";

function bind(wanted: readonly string[], given: Parameters): unknown {
  return bindParameters(wanted, given, "the sql", (problem, options) => new SourceError("sqlite", problem, options));
}

const refused = (facts: ErrorFacts): ((error: unknown) => true) =>
  failsWith("SOURCE_FAILED", { where: "the sql", ...facts });

test("each spelling of a name is bound to its one value", () => {
  assert.deepEqual(bind(["@a", ":a", "$b"], { a: "x", b: null }), { "@a": "x", ":a": "x", $b: null });
  assert.deepEqual(bind([], {}), {});
});

test("a parameter without a value is named, with those given", () => {
  assert.throws(() => bind(["@from", "@to"], { from: 1 }), refused({ parameter: "to", given: ["from"] }));
  assert.throws(() => bind(["@toString"], {}), refused({ parameter: "toString", given: [] }));
});

test("a value that the SQL does not use is named, with the closest", () => {
  assert.throws(
    () => bind(["@department"], { departmnt: "x" }),
    refused({ parameter: "departmnt", nearest: "department" }),
  );
  assert.throws(() => bind([], { x: 1 }), refused({ parameter: "x", used: [] }));
});

test("a value that can't be bound is refused without being shown", () => {
  assert.throws(() => bind(["@a"], { a: Number.NaN }), refused({ parameter: "a" }));
});
