import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Fit, StagedValue } from "../../src/table/fit.ts";
import { fitBit, fitDecimal, fitFloat, fitMoney, fitWhole } from "../../src/table/number-fit.ts";

function staged(fit: Fit, value: unknown): StagedValue {
  const fitted = fit(value);
  assert.ok(fitted.ok, fitted.ok ? "" : fitted.problem);
  return fitted.value;
}

function problem(fit: Fit, value: unknown): string {
  const fitted = fit(value);
  assert.ok(!fitted.ok, "it fits");
  return fitted.problem;
}

test("a BIT takes true, false, 1, 0 and their texts, and no other number", () => {
  for (const value of [true, 1, 1n, "1", "TRUE", "1.0"]) assert.equal(staged(fitBit("a BIT"), value), true);
  for (const value of [false, 0, 0n, "0", " false "]) assert.equal(staged(fitBit("a BIT"), value), false);
  for (const value of [2, -1, 0.5, "yes", "", Number.NaN]) {
    assert.match(problem(fitBit("a BIT"), value), /^the column is a BIT: expected true or false, got /);
  }
});

test("a whole number is held to its type's range, without a loss beyond 2^53", () => {
  const tinyint = fitWhole("TINYINT", 0n, 255n);
  assert.equal(staged(tinyint, "255"), 255);
  assert.equal(staged(tinyint, true), 1);
  assert.equal(problem(tinyint, 256), "the column is TINYINT: expected a number from 0 to 255, got one beyond");
  assert.match(problem(tinyint, -1), /got one beyond/);
  const bigint = fitWhole("BIGINT", -(2n ** 63n), 2n ** 63n - 1n);
  assert.equal(staged(bigint, 2n ** 63n - 1n), "9223372036854775807");
  assert.equal(staged(bigint, "-9223372036854775808"), "-9223372036854775808");
  assert.match(problem(bigint, 2n ** 63n), /got one beyond/);
});

test("a fraction is not cut off to make a whole number", () => {
  const int = fitWhole("INT", -(2n ** 31n), 2n ** 31n - 1n);
  assert.equal(staged(int, 3.0), 3);
  assert.equal(staged(int, "3.00"), 3);
  assert.match(problem(int, 1.5), /got one with decimals; round it in the columnMap$/);
  assert.match(problem(int, Number.NaN), /expected a whole number, got NaN$/);
  assert.match(problem(int, "secret"), /expected a whole number, got a text of 6 characters$/);
});

test("decimals are staged as text with the column's scale, rounded, and refused beyond its precision", () => {
  const fit = fitDecimal("DECIMAL(3,2)", 3, 2);
  assert.equal(staged(fit, 0.87), "0.87");
  assert.equal(staged(fit, 0.1 + 0.2), "0.30");
  assert.equal(staged(fit, "9.994999"), "9.99");
  assert.equal(
    problem(fit, "9.995"),
    "the column is DECIMAL(3,2): expected a number from -9.99 to 9.99, got one beyond",
  );
  assert.match(problem(fit, Infinity), /expected a number, got Infinity$/);
  const widest = fitDecimal("DECIMAL(38,10)", 38, 10);
  assert.equal(staged(widest, "1234567890123456789012345678.0123456789"), "1234567890123456789012345678.0123456789");
});

test("MONEY and SMALLMONEY go to their last ten-thousandth", () => {
  const money = fitMoney("MONEY", 64);
  assert.equal(staged(money, "922337203685477.5807"), "922337203685477.5807");
  assert.equal(staged(money, "-922337203685477.5808"), "-922337203685477.5808");
  assert.match(problem(money, "922337203685477.5808"), /got one beyond/);
  assert.match(problem(fitMoney("SMALLMONEY", 32), 214_748.36475), /from -214748.3648 to 214748.3647, got one beyond/);
});

test("floats are finite, and what is smaller than the smallest is zero", () => {
  const float = fitFloat("FLOAT");
  assert.equal(staged(float, Math.PI), Math.PI);
  assert.equal(staged(float, "1e-3"), 0.001);
  assert.equal(staged(float, 5e-324), 0);
  assert.equal(staged(fitFloat("REAL"), 0.1), Math.fround(0.1));
  assert.equal(staged(fitFloat("REAL"), 1e-40), 0);
  assert.match(
    problem(fitFloat("REAL"), 1e39),
    /^the column is REAL: expected a finite number in its range, got a number$/,
  );
  for (const value of [Number.NaN, -Infinity, 10n ** 400n])
    assert.match(problem(float, value), /expected a finite number/);
  assert.match(problem(float, "secret"), /expected a number, got a text of 6 characters/);
});

test("no value makes a number's check throw, and no problem holds a text's content", () => {
  const all = [
    fitBit("a BIT"),
    fitWhole("INT", 0n, 9n),
    fitDecimal("DECIMAL(5,1)", 5, 1),
    fitMoney("MONEY", 64),
    fitFloat("REAL"),
  ];
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withTypedArray: true }), (value) => {
      for (const fit of all) fit(value);
    }),
    { seed: 5, numRuns: 200 },
  );
  for (const fit of all) assert.doesNotMatch(problem(fit, "a secret text"), /secret/);
});
