import assert from "node:assert/strict";
import { test } from "node:test";
import { SourceError } from "../../src/errors/source.ts";
import { bindParameters } from "../../src/sqlite/parameters.ts";
import type { Parameters } from "../../src/contracts/source.ts";

function bind(wanted: readonly string[], given: Parameters): unknown {
  return bindParameters(wanted, given, "the sql", (problem) => new SourceError("sqlite", problem));
}

test("each spelling of a name is bound to its one value", () => {
  assert.deepEqual(bind(["@a", ":a", "$b"], { a: "x", b: null }), { "@a": "x", ":a": "x", $b: null });
  assert.deepEqual(bind([], {}), {});
});

test("a parameter without a value is named, with those given", () => {
  assert.throws(() => bind(["@from", "@to"], { from: 1 }), {
    name: "SourceError",
    message: 'sqlite: the parameter "to" of the sql has no value; the parameters given are "from"',
  });
  assert.throws(() => bind(["@toString"], {}), /"toString" of the sql has no value; the parameters given are none/);
});

test("a value that the SQL does not use is named, with the closest", () => {
  assert.throws(
    () => bind(["@department"], { departmnt: "x" }),
    /"departmnt" is not used .* did you mean "department"\?/,
  );
  assert.throws(() => bind([], { x: 1 }), /"x" is not used by the sql; it uses none/);
});

test("a value that can't be bound is refused without being shown", () => {
  assert.throws(() => bind(["@a"], { a: Number.NaN }), /"a" of the sql can't be NaN/);
});
