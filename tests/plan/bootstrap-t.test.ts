import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrapT } from "../../src/plan/bootstrap-t.ts";
import { lognormal, randomFrom } from "../support/quota-lab/random.ts";

/** Errors of groups, each of which sums to zero. */
function centered(counts: readonly number[], draw: () => number): Float64Array {
  return Float64Array.from(
    counts.flatMap((count) => {
      const values = Array.from({ length: count }, draw);
      const mean = values.reduce((sum, value) => sum + value, 0) / count;
      return values.map((value) => value - mean);
    }),
  );
}

const counts = Array.from({ length: 20 }, () => 6);
const resampled = () => ({ random: randomFrom(2), resamples: 999 });

/** By the formula of a textbook: the groups' variances, each with one degree of freedom lost. */
function deviationOf(values: Float64Array): number {
  return Math.sqrt((values.reduce((sum, value) => sum + value ** 2, 0) * 6) / 5);
}

test("errors without a skew reach about as far as Student's t to both sides", () => {
  const random = randomFrom(1);
  const values = centered(counts, () => random() - 0.5);
  const [reach = assert.fail()] = bootstrapT(counts, [{ values, leastVariance: 0 }], resampled());
  for (const side of [reach.below, reach.above]) {
    const times = side / deviationOf(values);
    assert.ok(times > 1.75 && times < 2.25, `${times}`);
  }
});

test("errors that are seldom large, but then far above, reach farther above than below", () => {
  const random = randomFrom(3);
  const values = centered(counts, () => lognormal(1, 1.2)(random));
  const [reach = assert.fail()] = bootstrapT(counts, [{ values, leastVariance: 0 }], resampled());
  assert.ok(reach.above > 1.3 * reach.below, JSON.stringify(reach));
});

test("a single large error reaches no farther than the least variance allows", () => {
  const random = randomFrom(5);
  const values = Float64Array.from({ length: 60 }, (_, index) => (index === 0 ? 59 : -1 + 0.01 * (random() - 0.5)));
  const [bare = assert.fail(), steadied = assert.fail()] = bootstrapT(
    [60],
    [
      { values, leastVariance: 0 },
      { values, leastVariance: 60 ** 2 },
    ],
    resampled(),
  );
  assert.ok(steadied.above > 1.2 * 60 && steadied.above < 4 * 60, JSON.stringify(steadied));
  assert.ok(bare.above > 100 * steadied.above, "a resample without it hardly varies");
});

test("a few errors reach as far as Student's t with their degrees of freedom", () => {
  const values = Float64Array.of(-1, 1);
  const [reach = assert.fail()] = bootstrapT([2], [{ values, leastVariance: 0 }], resampled());
  assert.deepEqual(reach, { below: 12.71 * 2, above: 12.71 * 2 });
});

test("no errors reach nowhere", () => {
  const values = new Float64Array(12);
  assert.deepEqual(bootstrapT([6, 6], [{ values, leastVariance: 0 }], resampled()), [{ below: 0, above: 0 }]);
  assert.deepEqual(bootstrapT([], [{ values: new Float64Array(), leastVariance: 0 }], resampled()), [
    { below: 0, above: 0 },
  ]);
});
