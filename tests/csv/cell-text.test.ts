import assert from "node:assert/strict";
import { test } from "node:test";
import { toCell } from "../../src/csv/cell-text.ts";
import { textProblem } from "../../src/data-file/text-problem.ts";

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

test("a value without text has a problem, which does not show it", () => {
  const textless: readonly (readonly [unknown, string])[] = [
    [() => "secret", "function"],
    [Symbol("secret"), "symbol"],
    [new Date(Number.NaN), "date"],
    ["secret \uD83D", "surrogate"],
    [new Map([["a", "secret"]]), "Map"],
    [new Set(["secret"]), "Set"],
    [new Error("secret"), "Error"],
    [/secret/, "RegExp"],
    [Promise.resolve("secret"), "Promise"],
    [new ArrayBuffer(1), "ArrayBuffer"],
    [Number.NaN, "NaN"],
    [Infinity, "Infinity"],
    [-Infinity, "-Infinity"],
  ];
  for (const [value, kind] of textless) {
    const problem = textProblem(value) ?? "";
    assert.ok(problem.includes(kind) && !problem.includes("secret"), problem);
  }
  for (const value of ["😀", 1, null, undefined, new Date(0), {}, Number.MAX_VALUE])
    assert.equal(textProblem(value), undefined);
});
