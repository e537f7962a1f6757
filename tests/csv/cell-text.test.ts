import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, toCell } from "../../src/csv/cell-text.ts";

test("every kind of value has its text", () => {
  const cases: readonly (readonly [unknown, unknown])[] = [
    ["text", "text"],
    ["", ""],
    [1.5, 1.5],
    [-3n, -3n],
    [true, "true"],
    [false, "false"],
    [null, null],
    [undefined, null],
    [new Date(Date.UTC(2025, 1, 2, 10, 30)), "2025-02-02T10:30:00.000Z"],
    [new Uint8Array([1, 2, 255]), "AQL/"],
    [Buffer.from("a"), "YQ=="],
    [["a", 1n, null], '["a","1",null]'],
    [{ at: new Date(0), none: undefined }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ];
  for (const [value, expected] of cases) assert.deepEqual(toCell(value), expected);
});

test("a value without text is told, without showing it", () => {
  assert.match(problemOf(() => "secret") ?? "", /is a function/);
  assert.match(problemOf(Symbol("secret")) ?? "", /is a symbol/);
  assert.match(problemOf(new Date(Number.NaN)) ?? "", /invalid date/);
  assert.match(problemOf("secret \uD83D") ?? "", /^has half of a surrogate pair/);
  for (const value of ["😀", 1, null, undefined, new Date(0), {}, Number.MAX_VALUE])
    assert.equal(problemOf(value), undefined);
});

test("a value of which nothing would be left is told: no silent {} and no number that can't be read back", () => {
  const kinds = [new Map([["a", "secret"]]), new Set(["secret"]), new Error("secret"), /secret/, Promise.resolve(1)];
  assert.deepEqual(
    [...kinds, new ArrayBuffer(1)].map(problemOf),
    ["Map", "Set", "Error", "RegExp", "Promise", "ArrayBuffer"].map(
      (kind) => `is of the class ${kind}, which has no text`,
    ),
  );
  for (const number of [Number.NaN, Infinity, -Infinity])
    assert.equal(problemOf(number), `is ${number}, which is no number to read back`);
});
