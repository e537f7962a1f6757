import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chooseSample, inRandomOrder, type Stratum, type Unit } from "../../src/plan/sample.ts";
import { randomFrom } from "../support/quota-lab/random.ts";

const seeded = { seed: 20, numRuns: 200 };
const unit = (size: number, index: number): Unit => ({ key: `request ${index}`, size, rows: 1 });
const someUnits = fc.array(fc.nat({ max: 100_000 }), { maxLength: 80 }).map((sizes) => sizes.map(unit));
const askedOf = (strata: readonly Stratum[]): readonly Unit[] => strata.flatMap(({ asked }) => asked);
const keysOf = (units: readonly Unit[]): readonly string[] => units.map(({ key }) => key).toSorted();

test("a sample has as many units as it should, or all; each unit is in one stratum, longer ones in earlier strata", () => {
  fc.assert(
    fc.property(someUnits, fc.nat({ max: 100 }), fc.nat(), (units, count, seed) => {
      const strata = chooseSample(units, count, randomFrom(seed));
      const asked = askedOf(strata);
      assert.equal(asked.length, Math.min(count, units.length));
      assert.equal(new Set(asked).size, asked.length);
      const inStrata = strata.flatMap((stratum) => stratum.units);
      assert.deepEqual(keysOf(inStrata), keysOf(units));
      assert.deepEqual(
        inStrata.map(({ size }) => size),
        units.map(({ size }) => size).toSorted((one, other) => other - one),
      );
      for (const stratum of strata) assert.ok(stratum.asked.every((one) => stratum.units.includes(one)));
    }),
    seeded,
  );
});

test("the same seed chooses the same units, whatever their order", () => {
  fc.assert(
    fc.property(
      someUnits.chain((units) => fc.tuple(fc.constant(units), fc.shuffledSubarray(units, { minLength: units.length }))),
      fc.nat({ max: 60 }),
      fc.nat(),
      ([units, shuffled], count, seed) => {
        const one = chooseSample(units, count, randomFrom(seed));
        assert.deepEqual(chooseSample(shuffled, count, randomFrom(seed)), one);
      },
    ),
    seeded,
  );
});

test("a stratum with units that are not asked has four asked at least, where the sample has four", () => {
  fc.assert(
    fc.property(someUnits, fc.integer({ min: 4, max: 80 }), fc.nat(), (units, count, seed) => {
      for (const { units: all, asked } of chooseSample(units, count, randomFrom(seed)))
        assert.ok(asked.length === all.length || asked.length >= 4);
    }),
    seeded,
  );
});

test("the few longest texts are all asked, and leave the rest of the sample to the others", () => {
  const sizes = [900_000, 800_000, 700_000, ...Array.from({ length: 5000 }, (_, index) => 500 + (index % 700))];
  const asked = askedOf(chooseSample(sizes.map(unit), 120, randomFrom(1)));
  assert.deepEqual(
    asked.slice(0, 3).map(({ size }) => size),
    [900_000, 800_000, 700_000],
  );
  assert.equal(asked.length, 120);
});

test("strata are of about equal total size", () => {
  const random = randomFrom(4);
  const units = Array.from({ length: 20_000 }, (_, index) => unit(200 + Math.floor(2000 * random() ** 3), index));
  const totals = chooseSample(units, 120, random).map(({ units: all }) => all.reduce((sum, { size }) => sum + size, 0));
  assert.ok(totals.length >= 19, `${totals.length} strata`);
  assert.ok(Math.max(...totals) < 1.1 * Math.min(...totals), totals.join(" "));
});

test("each unit of a stratum is as likely to be asked as any other", () => {
  const units = Array.from({ length: 12 }, (_, index) => unit(1000, index));
  const random = randomFrom(9);
  const often = new Map<string, number>();
  const draws = 6000;
  for (let draw = 0; draw < draws; draw += 1)
    for (const { key } of askedOf(chooseSample(units, 4, random))) often.set(key, (often.get(key) ?? 0) + 1);
  for (const [key, count] of often) assert.ok(Math.abs(count / draws - 1 / 3) < 0.03, `${key}: ${count}`);
  assert.equal(often.size, 12);
});

test("in random order, the first units come from strata of all sizes", () => {
  const table = Array.from({ length: 3000 }, (_, index) => unit(500 + index, index));
  const strata = chooseSample(table, 120, randomFrom(3));
  const order = inRandomOrder(strata, randomFrom(4));
  assert.deepEqual(keysOf(order), keysOf(askedOf(strata)));
  const first = new Set(order.slice(0, 40));
  const met = strata.filter(({ asked }) => asked.some((one) => first.has(one)));
  assert.ok(met.length >= 0.7 * strata.length, `${met.length} of ${strata.length}`);
  assert.deepEqual(inRandomOrder(strata, randomFrom(4)), order);
});

test("units of no size, one unit, none, and a sample of none", () => {
  assert.deepEqual(chooseSample([], 120, randomFrom(1)), []);
  const one = [unit(0, 0)];
  assert.deepEqual(chooseSample(one, 120, randomFrom(1)), [{ units: one, asked: one }]);
  assert.deepEqual(chooseSample(one, 0, randomFrom(1)), [{ units: one, asked: [] }]);
  const empty = Array.from({ length: 500 }, (_, index) => unit(0, index));
  assert.equal(askedOf(chooseSample(empty, 50, randomFrom(1))).length, 50);
});
