import assert from "node:assert/strict";
import { test } from "node:test";
import { combined, drawsFor, keyOf } from "../../../src/testing/simulator/request-hash.ts";

test("a key is the same for the same content, as text or as bytes, and no other for 10,000 contents", () => {
  assert.equal(keyOf("größe"), keyOf(Buffer.from("größe")));
  const keys = new Set(Array.from({ length: 10_000 }, (_, index) => keyOf(`row ${index}`)));
  assert.equal(keys.size, 10_000);
  for (const key of keys) assert.ok(Number.isSafeInteger(key) && key >= 0);
  assert.ok(Number.isSafeInteger(combined(2 ** 48 - 1, 2 ** 48 - 1)));
  assert.notEqual(combined(1, 2), combined(1, 3));
});

test("draws are even, from 0 to below 1, and depend on seed, key and time alone", () => {
  const indexes = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  for (const index of indexes) {
    let sum = 0;
    for (let key = 0; key < 4000; key += 1) {
      const share = drawsFor(1, key, 0).share(index);
      assert.ok(share >= 0 && share < 1);
      sum += share;
    }
    assert.ok(Math.abs(sum / 4000 - 0.5) < 0.02, `${index}: ${sum / 4000}`);
  }
  const first = drawsFor(1, 2, 3).share(0);
  assert.equal(drawsFor(1, 2, 3).share(0), first);
  for (const other of [drawsFor(2, 2, 3), drawsFor(1, 3, 3), drawsFor(1, 2, 4)]) assert.notEqual(other.share(0), first);
});
