import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Batcher } from "../../src/engine/batcher.ts";

test("a batch is written when it is full, and the rest when drained", async () => {
  const batches: (readonly number[])[] = [];
  const batcher = new Batcher<number>({
    size: 3,
    intervalMs: 60_000,
    write: async (batch) => void batches.push(batch),
  });
  for (let item = 0; item < 8; item += 1) await batcher.add(item);
  assert.deepEqual(batches, [
    [0, 1, 2],
    [3, 4, 5],
  ]);
  await batcher.drain();
  assert.deepEqual(batches, [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7],
  ]);
});

test("draining an empty batcher writes nothing", async () => {
  let writes = 0;
  const batcher = new Batcher<number>({ size: 3, intervalMs: 1, write: async () => void (writes += 1) });
  await batcher.drain();
  await setTimeout(5);
  assert.equal(writes, 0);
});

test("while a batch is written the next one fills, and then add waits", async () => {
  let release = (): void => {};
  const first = new Promise<void>((resolve) => {
    release = resolve;
  });
  const batches: (readonly number[])[] = [];
  const batcher = new Batcher<number>({
    size: 2,
    intervalMs: 60_000,
    write: async (batch) => {
      batches.push(batch);
      await first;
    },
  });
  let added = 0;
  const adding = (async () => {
    for (let item = 0; item < 6; item += 1) {
      await batcher.add(item);
      added += 1;
    }
  })();
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  assert.equal(added, 4);
  assert.deepEqual(batches, [[0, 1]]);
  release();
  await adding;
  await batcher.drain();
  assert.deepEqual(batches.flat(), [0, 1, 2, 3, 4, 5]);
});

test("an interval that ends while a batch is written closes the next one as soon as that is done", async () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const batches: (readonly number[])[] = [];
  const batcher = new Batcher<number>({
    size: 2,
    intervalMs: 1,
    write: async (batch) => {
      batches.push(batch);
      if (batches.length === 1) await slow;
    },
  });
  await batcher.add(1);
  await batcher.add(2); // full: being written
  await batcher.add(3);
  await setTimeout(10); // its interval is over, but the first batch still blocks
  release();
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  assert.deepEqual(batches, [[1, 2], [3]]);
});
