import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { decimalText, roundTo, toDecimal } from "../../src/table/decimal-text.ts";

test("numbers, bigints, booleans and texts that spell a number are exact decimals", () => {
  const read: readonly (readonly [unknown, string])[] = [
    [0.1, "0.1"],
    [-1.5e-7, "-0.00000015"],
    [1e21, "1000000000000000000000"],
    [-0, "0"],
    [2n ** 70n, "1180591620717411303424"],
    [true, "1"],
    [" +12.50 ", "12.50"],
    [".5", "0.5"],
    ["5.", "5"],
    ["1e3", "1000"],
    ["12.5E-2", "0.125"],
  ];
  for (const [value, expected] of read) {
    const decimal = toDecimal(value);
    assert.ok(decimal !== undefined, String(value));
    assert.equal(decimalText(decimal.unscaled, decimal.scale), expected);
  }
});

test("what is no finite number is none", () => {
  const others = [
    Number.NaN,
    Infinity,
    "",
    " ",
    "-",
    ".",
    "1,5",
    "0x10",
    "1_000",
    "one",
    "1e99999",
    "9".repeat(2_101),
    null,
    {},
    new Date(),
  ];
  for (const value of others) assert.equal(toDecimal(value), undefined, inspect(value));
});

test("decimals are rounded half away from zero, on the digits", () => {
  const rounded: readonly (readonly [string, number, string])[] = [
    ["1.005", 2, "1.01"],
    ["-1.005", 2, "-1.01"],
    ["1.0049999", 2, "1.00"],
    ["0.5", 0, "1"],
    ["-0.5", 0, "-1"],
    ["-0.4", 0, "0"],
    ["7", 3, "7.000"],
    ["99999999999999999999999999999999999999.4", 0, "99999999999999999999999999999999999999"],
  ];
  for (const [text, scale, expected] of rounded) {
    const decimal = toDecimal(text);
    assert.ok(decimal !== undefined);
    assert.equal(decimalText(roundTo(decimal, scale), scale), expected);
  }
});

test("text that is made of a number is read as that number", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.nat(38), (unscaled, scale) => {
      const decimal = toDecimal(decimalText(unscaled, scale));
      assert.ok(decimal !== undefined);
      assert.equal(roundTo(decimal, scale), unscaled);
    }),
    { seed: 5, numRuns: 200 },
  );
});
