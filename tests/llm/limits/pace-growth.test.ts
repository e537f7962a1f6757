import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { grownPace, knownGrowth } from "../../../src/llm/limits/pace-growth.ts";

const near = { pace: 100, quota: 100, growth: 0.003, callsTooLate: 0 };

test("far below the quota a pace grows by a quarter, and near it hardly", () => {
  assert.equal(grownPace({ ...near, pace: 50 }), 62.5);
  assert.equal(grownPace({ ...near, pace: 90 }), 90 * 1.02);
  assert.equal(grownPace(near), 100.15);
});

test("a quota that has risen is found: each round beyond the old one grows more", () => {
  let pace = 103;
  const growths = Array.from({ length: 20 }, () => {
    const before = pace;
    pace = grownPace({ ...near, pace });
    return pace / before;
  });
  assert.ok(growths.every((growth, index) => index === 0 || growth >= (growths[index - 1] ?? 0)));
  assert.ok(pace > 1000);
});

test("near the quota, the growth is divided by the calls that are rejected before it is noticed", () => {
  const growthOf = (callsTooLate: number) => grownPace({ ...near, callsTooLate }) - near.pace;
  fc.assert(
    fc.property(fc.double({ min: 1, max: 10_000, noNaN: true }), (calls) => {
      assert.ok(Math.abs(growthOf(calls) * calls - growthOf(1)) < 1e-9 * calls);
    }),
  );
  assert.equal(growthOf(0.1), growthOf(1));
});

test("the better a quota is known, the less a pace near it grows", () => {
  assert.equal(knownGrowth(10), 0.03);
  assert.equal(knownGrowth(30), 0.01);
  assert.equal(knownGrowth(500), 0.003);
});
