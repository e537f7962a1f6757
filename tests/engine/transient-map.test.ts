import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapSpaceStatistics } from "node:v8";
import { TransientMap } from "../../src/engine/transient-map.ts";
import { garbageCollector } from "../support/heap.ts";

test("entries come and go as in a Map, however many", () => {
  const map = new TransientMap<number, string>();
  const plain = new Map<number, string>();
  for (let step = 0; step < 5000; step += 1) {
    const key = (step * 7919) % 331;
    const isThere = plain.has(key);
    assert.equal(map.has(key), isThere);
    assert.equal(map.get(key), plain.get(key));
    if (isThere && step % 3 > 0) assert.equal(map.delete(key), plain.delete(key));
    else {
      map.set(key, `${step}`);
      plain.set(key, `${step}`);
    }
  }
  assert.equal(map.delete(1000), false);
  assert.deepEqual(map.entries(), [...plain]);
});

test("entries may be deleted while those of now are gone through", () => {
  const map = new TransientMap<number, number>();
  for (let key = 0; key < 1000; key += 1) map.set(key, key);
  for (const [key] of map.entries()) assert.equal(map.delete(key), true);
  assert.deepEqual(map.entries(), []);
});

test("what was deleted is garbage for the next small collection, also once the map is old", () => {
  const collect = garbageCollector();
  const map = new TransientMap<number, readonly number[]>();
  for (let key = -64; key < 0; key += 1) map.set(key, []);
  collect(); // the map is old from now on
  const before = oldBytes();
  let most = 0;
  for (let key = 0; key < 40_000; key += 1) {
    map.set(
      key,
      Array.from({ length: 100 }, () => key),
    );
    map.delete(key - 64);
    if (key % 500 === 0) most = Math.max(most, oldBytes() - before);
  }
  assert.ok(most < 4_000_000, `${most} bytes of what came and went were in the old generation`);
});

function oldBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === "old_space")?.space_used_size ?? 0;
}
