import assert from "node:assert/strict";
import { test } from "node:test";
import { projectRare, usualValue } from "../../src/plan/rare-events.ts";
import type { Unit } from "../../src/plan/sample.ts";

const amounts = (values: readonly number[], others: number) => {
  const unit = (index: number): Unit => ({ key: String(index), size: 1000, rows: 1 });
  const measured = values.map((_, index) => unit(index));
  const rest = Array.from({ length: others }, (_, index) => unit(values.length + index));
  const quantity = { value: ({ key }: Unit): number => values[Number(key)] ?? 0, times: () => 1 };
  return { groups: [{ measured, rest }], quantity };
};

const some = (value: number, count: number): readonly number[] => Array.from({ length: count }, () => value);

test("the interval of a few events is that of a Poisson count", () => {
  // Exact limits of the mean by the number seen: Garwood, Biometrika 28 (1936).
  const limits = [
    [0, 0, 3.69],
    [1, 0.025, 5.57],
    [2, 0.242, 7.22],
    [3, 0.619, 8.77],
    [10, 4.8, 18.39],
  ] as const;
  const others = 300_000;
  for (const [count, low, high] of limits) {
    const { groups, quantity } = amounts([...some(1, count), ...some(0, 1000 - count)], others);
    const found = projectRare(groups, quantity, { usual: 0, unseen: 1, fewest: 0 });
    const inSample = (amount: number): number => (amount * 1000) / others;
    assert.ok(Math.abs(inSample(found.total) - count) < 1e-9);
    assert.ok(Math.abs(inSample(found.low) - low) < 0.03, `${count}: from ${inSample(found.low)}`);
    assert.ok(Math.abs(inSample(found.high) - high) < 0.05, `${count}: to ${inSample(found.high)}`);
  }
});

test("less than the usual is counted too, and may not have been seen", () => {
  const { groups, quantity } = amounts([...some(1, 5), ...some(2, 95)], 900);
  const found = projectRare(groups, quantity, { usual: 2, unseen: 1, fewest: 1 });
  assert.equal(found.total, 1800 - 45);
  assert.ok(found.low < 1800 - 90 && found.low > 1800 - 130, `${found.low}`);
  assert.ok(found.high > 1800 - 20, `${found.high}: a call more may not have been seen`);
  const alike = amounts(some(2, 100), 900);
  const lowOf = (fewest: number): number =>
    projectRare(alike.groups, alike.quantity, { usual: 2, unseen: 1, fewest }).low;
  assert.equal(lowOf(2), 1800, "no unit has fewer");
  assert.ok(lowOf(1) < 1800 - 30 && lowOf(1) > 1800 - 45, `${lowOf(1)}`);
});

test("the interval ends at whole events", () => {
  for (const seen of [1, 3, 8]) {
    const { groups, quantity } = amounts([...some(2, seen), ...some(1, 80 - seen)], 60);
    const { low, high } = projectRare(groups, quantity, { usual: 1, unseen: 1, fewest: 1 });
    assert.ok(Number.isInteger(low) && Number.isInteger(high), `${seen} seen: ${low} to ${high}`);
  }
});

test("a value is usual where few units have another", () => {
  const usualOf = (values: readonly number[]): number | undefined => {
    const { groups, quantity } = amounts(values, 50);
    return usualValue(groups, quantity);
  };
  assert.equal(usualOf([...some(1, 101), ...some(2, 19)]), 1);
  assert.equal(usualOf([...some(1, 100), ...some(2, 20)]), undefined);
  assert.equal(usualOf([3, 3, 3, 1, 2]), 3);
  assert.equal(usualOf([1, 2, 3, 4, 5]), undefined);
  assert.equal(usualOf([1, 2]), undefined);
});
