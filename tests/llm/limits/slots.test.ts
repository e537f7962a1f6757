import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Slots } from "../../../src/llm/limits/slots.ts";
import { seededRandom } from "../../support/limited-service.ts";

/** Ends so many calls; the service takes those with fewer others in flight than `cap`. */
function run(slots: Slots, count: number, cap: number, othersAt: (index: number) => number): void {
  for (let index = 0; index < count; index += 1) {
    const others = othersAt(index);
    if (others < cap) slots.accepted(others);
    else slots.rejected(others);
  }
}

/** As many others as are in flight while answers come and calls go: all numbers up to the most, or to the limit. */
const sweep = (slots: Slots, most: number) => (index: number) => (index * 17) % Math.min(most, slots.limit);

test("a service that takes so many calls at a time is found out", () => {
  for (const [cap, most] of [
    [10, 14],
    [3, 5],
    [20, 28],
  ] as const) {
    const slots = new Slots();
    assert.equal(slots.limit, Infinity);
    run(slots, 400, cap, sweep(slots, most));
    assert.ok(slots.limit === cap || slots.limit === cap + 1, `${slots.limit}: ${cap}, and one that is tried`);
  }
});

test("few rejections find nothing, nor does a service that takes no call at all", () => {
  const few = new Slots();
  run(few, 30, 10, sweep(few, 12));
  assert.equal(few.limit, Infinity);
  const none = new Slots();
  run(none, 300, 0, sweep(none, 12));
  assert.equal(none.limit, Infinity);
});

test("rejections by chance find no limit while the calls in flight stay as many, or become more", () => {
  const inFlight = fc.record({ from: fc.integer({ min: 0, max: 63 }), growth: fc.constantFrom(0, 0.02, 0.1, 0.5, 1) });
  const share = fc.double({ min: 0.01, max: 0.5, noNaN: true });
  fc.assert(
    fc.property(inFlight, share, fc.integer(), ({ from, growth }, chance, seed) => {
      const slots = new Slots();
      const random = seededRandom(seed);
      for (let index = 0; index < 1000; index += 1) {
        const others = Math.min(64, Math.floor(from + growth * index));
        if (random() < chance) slots.rejected(others);
        else slots.accepted(others);
        assert.equal(slots.limit, Infinity, `at call ${index}`);
      }
    }),
    { numRuns: 100, seed: 5 },
  );
});

/** One that has found 10 calls at a time. */
function ofTen(): Slots {
  const slots = new Slots();
  for (let index = 0; index < 500 && slots.limit === Infinity; index += 1) run(slots, 1, 10, () => (index * 17) % 15);
  assert.equal(slots.limit, 10);
  return slots;
}

test("one more call is tried after twenty rounds without a rejection, and given up where it is rejected", () => {
  const slots = ofTen();
  run(slots, 200, 10, () => 9);
  assert.equal(slots.limit, 10);
  run(slots, 1, 10, () => 9);
  assert.equal(slots.limit, 11);
  slots.rejected(10);
  assert.equal(slots.limit, 10);
});

test("a service that takes more than before is found out one by one", () => {
  const slots = ofTen();
  run(slots, 20 * 11 + 20 * 12 + 2, 64, () => 9);
  assert.equal(slots.limit, 12);
});

test("where calls below the limit are rejected, too, there is none: it is another kind of limit", () => {
  const slots = ofTen();
  for (let index = 0; index < 40; index += 1) {
    if (index % 4 === 0) slots.rejected(5);
    else slots.accepted(5);
  }
  assert.equal(slots.limit, Infinity);
});
