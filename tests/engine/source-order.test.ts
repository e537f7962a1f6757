import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SourceOrder } from "../../src/engine/source-order.ts";

test("rows are released in sequence, whatever the order in which they end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 30 }), fc.infiniteStream(fc.nat()), async (count, random) => {
      const shuffled = Array.from({ length: count }, (_, index) => ({ index, key: random.next().value }))
        .toSorted((left, right) => left.key - right.key)
        .map(({ index }) => index);
      const released: number[] = [];
      const order = new SourceOrder<number>(100, async (item) => void released.push(item));
      await Promise.all(shuffled.map(async (index) => await order.ended(index, index % 3 === 0 ? undefined : index)));
      assert.deepEqual(
        released,
        Array.from({ length: count }, (_, index) => index).filter((index) => index % 3 !== 0),
      );
    }),
    { seed: 7, numRuns: 100 },
  );
});

test("a row further ahead than the window waits until the oldest has ended", async () => {
  const order = new SourceOrder<string>(2, async () => {});
  await order.admit(0);
  await order.admit(1);
  let admitted = false;
  const waiting = order.admit(2).then(() => {
    admitted = true;
  });
  await order.ended(1, "second");
  assert.equal(admitted, false);
  await order.ended(0, "first");
  await waiting;
  assert.equal(admitted, true);
});
