import assert from "node:assert/strict";
import { test } from "node:test";
import { Tally } from "../../../src/testing/simulator/tally.ts";

test("it says how often a key was met before", () => {
  const tally = new Tally(100);
  assert.deepEqual(
    [1, 2, 1, 1, 2].map((key) => tally.meet(key)),
    [0, 0, 1, 2, 1],
  );
  assert.deepEqual([tally.count(1), tally.count(3)], [3, 0]);
});

test("it forgets the oldest and keeps what was met lately, so that its memory has an end", () => {
  const tally = new Tally(10);
  for (let key = 0; key < 1000; key += 1) {
    assert.equal(tally.meet(key), 0);
    assert.equal(tally.meet(-1), key, "a key that is met all the time is never forgotten");
    if (key >= 4) assert.equal(tally.count(key - 3), 1);
  }
  assert.equal(tally.count(0), 0);
});
