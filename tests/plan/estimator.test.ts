import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Estimate, estimateTotals } from "../../src/plan/estimator.ts";
import { chooseSample, inRandomOrder, type Unit } from "../../src/plan/sample.ts";
import { lengths, otherLengths, planTable, type TableOptions } from "../support/plan-tables.ts";
import { qualityOf, trial } from "../support/plan-trial.ts";
import { randomFrom } from "../support/quota-lab/random.ts";

const seeded = { seed: 20, numRuns: 100 };

interface Given {
  readonly count: number;
  readonly seed?: number;
  /** The number of those that were chosen that are measured: all by default. */
  readonly measured?: number;
  readonly per?: "unit" | "row";
  readonly unseen?: number;
  readonly fewest?: number;
}

/** The estimate of one quantity from a sample of the units. */
function estimateOf(
  units: readonly Unit[],
  valueOf: (unit: Unit) => number,
  { count, seed = 1, measured = Infinity, ...quantity }: Given,
): Estimate | undefined {
  const strata = chooseSample(units, count, randomFrom(seed));
  const asked = inRandomOrder(strata, randomFrom(seed + 2)).slice(0, measured);
  const measurements = new Map(asked.map((unit) => [unit.key, { amount: valueOf(unit) }]));
  const options = {
    strata,
    measurements,
    quantities: { amount: quantity },
    random: randomFrom(seed + 1),
    resamples: 199,
  };
  return estimateTotals(options)?.amount;
}

const units = (count: number, sizeOf: (index: number) => number = () => 1000, rows = 1): readonly Unit[] =>
  Array.from({ length: count }, (_, index) => ({ key: `request ${index}`, size: sizeOf(index), rows }));

const indexOf = ({ key }: Unit): number => Number(key.slice("request ".length));
const exact = (total: number): Estimate => ({ total, low: total, high: total, measured: total });

const someTable = fc
  .array(
    fc.record({ size: fc.nat({ max: 50_000 }), rows: fc.integer({ min: 1, max: 9 }), amount: fc.nat({ max: 900 }) }),
    {
      minLength: 1,
      maxLength: 60,
    },
  )
  .map((rows) => rows.map((row, index) => ({ ...row, key: `request ${index}` })));

test("where all units are asked, the total is exact and the interval has no width", () => {
  fc.assert(
    fc.property(someTable, fc.constantFrom("unit", "row"), fc.nat(), (table, per, seed) => {
      const amounts = new Map(table.map(({ key, amount }) => [key, amount]));
      const truth = table.reduce((sum, { amount, rows }) => sum + amount * (per === "row" ? rows : 1), 0);
      const estimate = estimateOf(table, ({ key }) => amounts.get(key) ?? 0, { count: 60, seed, per, unseen: 1 });
      assert.deepEqual(estimate, exact(truth));
    }),
    seeded,
  );
});

test("neither the total nor an end of its interval is below what was measured, and the total is between them", () => {
  fc.assert(
    fc.property(
      someTable,
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 70 }),
      fc.nat(),
      (table, count, measured, seed) => {
        const amounts = new Map(table.map(({ key, amount }) => [key, amount]));
        const estimate = estimateOf(table, ({ key }) => amounts.get(key) ?? 0, { count, measured, seed });
        assert.ok(estimate !== undefined);
        const { total, low, high, measured: known } = estimate;
        assert.ok(known <= low && low <= total && total <= high, JSON.stringify(estimate));
        assert.ok(Number.isFinite(total) && !Number.isNaN(high), JSON.stringify(estimate));
      },
    ),
    seeded,
  );
});

test("the order of the units changes nothing", () => {
  fc.assert(
    fc.property(
      someTable.chain((table) => fc.tuple(fc.constant(table), fc.shuffledSubarray(table, { minLength: table.length }))),
      fc.integer({ min: 1, max: 40 }),
      ([table, shuffled], count) => {
        const amounts = new Map(table.map(({ key, amount }) => [key, amount]));
        const valueOf = ({ key }: Unit): number => amounts.get(key) ?? 0;
        assert.deepEqual(estimateOf(shuffled, valueOf, { count }), estimateOf(table, valueOf, { count }));
      },
    ),
    seeded,
  );
});

test("another unit of measure changes the total and both ends by its factor", () => {
  const cost = (unit: Unit): number => unit.size * (1 + (indexOf(unit) % 7)) + 3000;
  const table = units(3000, (index) => 300 + ((index * 37) % 5000));
  const inUSD = estimateOf(table, cost, { count: 90 }) ?? assert.fail();
  const inMicroUSD = estimateOf(table, (unit) => cost(unit) * 1e6, { count: 90 }) ?? assert.fail();
  for (const end of ["total", "low", "high"] as const)
    assert.ok(Math.abs(inMicroUSD[end] / inUSD[end] / 1e6 - 1) < 1e-9, end);
});

test("a further quantity changes no other", () => {
  const strata = chooseSample(
    units(500, (index) => 100 + index),
    60,
    randomFrom(1),
  );
  const asked = strata.flatMap((stratum) => stratum.asked);
  const measurements = new Map(
    asked.map((unit) => [unit.key, { cost: unit.size ** 1.1, calls: 1 + (indexOf(unit) % 3) }]),
  );
  const both = { cost: {}, calls: { unseen: 1 } };
  const alone = estimateTotals({ strata, measurements, quantities: { cost: {} }, random: randomFrom(2) });
  const beside = estimateTotals({ strata, measurements, quantities: both, random: randomFrom(2) });
  assert.deepEqual(beside?.cost, alone?.cost);
});

test("nothing to ask costs nothing; nothing measured gives no estimate", () => {
  assert.deepEqual(
    estimateOf([], () => 1, { count: 120 }),
    exact(0),
  );
  assert.equal(
    estimateOf(units(3), () => 1, { count: 0 }),
    undefined,
  );
});

test("one unit of several gives a total, and an interval that is open above", () => {
  const estimate = estimateOf(units(5), () => 2, { count: 1 });
  assert.deepEqual(estimate, { total: 10, low: 2, high: Infinity, measured: 2 });
});

test("a quantity that is 0 for all is estimated as 0; failures that a sample may have missed are in the interval", () => {
  const table = units(10_000);
  assert.deepEqual(
    estimateOf(table, () => 0, { count: 120 }),
    exact(0),
  );
  const failed = estimateOf(table, () => 0, { count: 120, per: "row", unseen: 1 }) ?? assert.fail();
  assert.equal(failed.total, 0);
  assert.ok(failed.high > 290 && failed.high < 320, `${failed.high} of 10,000: the rule of three says 3.69 / 120`);
});

test("where all units of the sample are alike, the interval still reaches to what 120 units do not show", () => {
  const calls = estimateOf(units(10_000), () => 1, { count: 120, unseen: 1, fewest: 1 }) ?? assert.fail();
  assert.equal(calls.total, 10_000);
  assert.equal(calls.low, 10_000);
  assert.ok(calls.high > 10_290 && calls.high < 10_320, `${calls.high}`);
  const cost =
    estimateOf(
      units(10_000, (index) => 500 + index),
      ({ size }) => size * 2,
      { count: 120 },
    ) ?? assert.fail();
  const truth = 10_000 * (500 + 4999.5) * 2;
  assert.ok(Math.abs(cost.total / truth - 1) < 1e-9, "a cost that is proportional to the size is exact");
  assert.ok(cost.high > 1.025 * truth && cost.high < 1.035 * truth, `${cost.high / truth}`);
  assert.ok(
    cost.low > 0.965 * truth && cost.low < 0.975 * truth,
    `${cost.low / truth}: rows may fail, and cost nothing`,
  );
});

test("two failures in a sample of 120 may be seven: the interval is that of a Poisson count", () => {
  const strata = chooseSample(units(12_000), 120, randomFrom(1));
  const asked = inRandomOrder(strata, randomFrom(2));
  const measurements = new Map(asked.map(({ key }, index) => [key, { failed: index < 2 ? 1 : 0 }]));
  const quantities = { failed: { unseen: 1 } };
  const { failed } = estimateTotals({ strata, measurements, quantities, random: randomFrom(3) }) ?? assert.fail();
  assert.ok(Math.abs(failed.total - 200) < 15, JSON.stringify(failed));
  assert.ok(failed.low > 15 && failed.low < 35 && failed.high > 690 && failed.high < 750, JSON.stringify(failed));
});

test("a cost that is the same for all may be twice that, or none, of units that the sample has not met", () => {
  const cost = estimateOf(units(10_000), () => 5, { count: 120 }) ?? assert.fail();
  assert.equal(cost.total, 50_000);
  assert.ok(cost.high > 51_450 && cost.high < 51_600, `${cost.high}`);
  assert.ok(cost.low > 48_400 && cost.low < 48_550, `${cost.low}`);
  const second = estimateOf(units(10_000), () => 2, { count: 120, unseen: 1, fewest: 1 }) ?? assert.fail();
  assert.ok(second.low > 19_690 && second.low < 19_710, `${second.low}: a row that fails is not asked a second time`);
});

test("with one unit left, it may cost twice", () => {
  const table = units(121, (index) => 3000 + 10 * index);
  const cost =
    estimateOf(table, (unit) => unit.size * (1 + (indexOf(unit) % 5) / 1000), { count: 120 }) ?? assert.fail();
  const left = cost.total - cost.measured;
  assert.ok(left > 2900 && left < 4300, `${left}`);
  assert.ok(cost.high - cost.measured > 1.95 * left, JSON.stringify(cost));
});

test("with few units left, a rare event is none or one of them", () => {
  const calls = estimateOf(units(125), (unit) => (indexOf(unit) % 60 === 0 ? 2 : 1), {
    count: 120,
    unseen: 1,
    fewest: 1,
  });
  assert.ok(calls !== undefined);
  assert.equal(calls.low - calls.measured, 5);
  assert.ok(calls.high - calls.measured >= 6 && calls.high - calls.measured <= 7, `${calls.high - calls.measured}`);
});

test("a quantity of rows counts each row of a unit", () => {
  const table = units(4000, () => 1000, 3);
  const failures = { count: 400, unseen: 1 };
  const isFailed = (unit: Unit): number => (indexOf(unit) % 20 === 0 ? 1 : 0);
  const rows = estimateOf(table, isFailed, { ...failures, per: "row" }) ?? assert.fail();
  const once = estimateOf(table, isFailed, failures) ?? assert.fail();
  assert.equal(Math.round(rows.total), Math.round(3 * once.total));
  assert.ok(rows.low <= 600 && 600 <= rows.high, JSON.stringify(rows));
});

test("a sample that was stopped estimates from what it has", () => {
  const table = planTable({ rows: 3000, lengths: lengths.lognormal, seed: 5 });
  const cost = (unit: Unit): number => table.measuredOf(unit).cost;
  const widths = [5, 30, 60, 120].map((measured) => {
    const estimate = estimateOf(table.units, cost, { count: 120, measured }) ?? assert.fail();
    assert.ok(estimate.low <= table.truth.cost && table.truth.cost <= estimate.high, `${measured} measured`);
    return estimate.high - estimate.low;
  });
  assert.ok((widths[0] ?? 0) > (widths[3] ?? 0));
});

/** Tables of one kind, asked by a sample of 120 of some 3,000. */
function qualityFor(kind: Omit<TableOptions, "seed" | "rows">, tables: number) {
  const trials = Array.from({ length: tables }, (_, index) => {
    const table = planTable({ rows: 3000, ...kind, seed: 100 + index });
    return trial(table, { count: 120, seed: 7 * index }).cost;
  });
  return qualityOf(trials);
}

for (const [shape, ofShape] of Object.entries({ ...lengths, ...otherLengths })) {
  test(`the interval of the cost covers the truth of nearly all tables whose lengths are ${shape}`, () => {
    const kind = { lengths: ofShape, isSorted: shape === "sorted", duplicates: 0.3, answered: 0.2 };
    const quality = qualityFor(kind, 8);
    assert.ok(quality.covered >= 6, JSON.stringify(quality));
    assert.ok(quality.medianError <= 0.03, JSON.stringify(quality));
  });
}

test("units of which 2 % cost twice, and are alike else, are covered whether the sample met one or not", () => {
  const table = units(5000, (index) => 400 + ((index * 7919) % 3000));
  const cost = (unit: Unit): number => unit.size * ((indexOf(unit) * 31) % 50 === 0 ? 2 : 1);
  const truth = table.reduce((sum, unit) => sum + cost(unit), 0);
  const covered = Array.from({ length: 60 }, (_, index) => estimateOf(table, cost, { count: 120, seed: index * 11 }));
  const count = covered.filter((one) => one !== undefined && one.low <= truth && truth <= one.high).length;
  assert.ok(count >= 54, `${count} of 60`);
});

test("the fewer units are left, the narrower the interval: what was measured is certain", () => {
  const table = planTable({ rows: 2000, lengths: lengths.lognormal, seed: 8 });
  const tokens = (unit: Unit): number => table.measuredOf(unit).outputTokens;
  const width = (count: number): number => {
    const { low, high } = estimateOf(table.units.slice(0, count), tokens, { count: 120 }) ?? assert.fail();
    return (high - low) / count;
  };
  assert.ok(width(140) < 0.55 * width(1000), `${width(140)}, ${width(1000)}`);
});

test("four units of 300 give an interval that is wide, but true", () => {
  const table = planTable({ rows: 300, lengths: lengths.bimodal, seed: 12 });
  const tokens = (unit: Unit): number => table.measuredOf(unit).outputTokens;
  const covered = Array.from({ length: 60 }, (_, index) =>
    estimateOf(table.units, tokens, { count: 4, seed: 13 * index }),
  );
  const truth = table.truth.outputTokens;
  const count = covered.filter((one) => one !== undefined && one.low <= truth && truth <= one.high).length;
  assert.ok(count >= 54, `${count} of 60`);
});

test("calls that nearly all units need once need no relation to the size", () => {
  const table = units(2000, (index) => 200 + index * 20);
  const calls = estimateOf(table, () => 3, { count: 60, unseen: 1, fewest: 3 }) ?? assert.fail();
  assert.deepEqual([calls.total, calls.low], [6000, 6000]);
});

test("a quantity that is no line over the size is right on average", () => {
  const table = units(4000, (index) => 200 + index);
  const tokens = ({ size }: Unit): number => (size < 700 ? 9000 : 100) + (size % 90);
  const truth = table.reduce((sum, unit) => sum + tokens(unit), 0);
  const totals = Array.from({ length: 40 }, (_, index) => estimateOf(table, tokens, { count: 60, seed: 17 * index }));
  const mean = totals.reduce((sum, one) => sum + (one?.total ?? 0), 0) / totals.length;
  assert.ok(Math.abs(mean / truth - 1) < 0.06, `${mean / truth}`);
});
