import assert from "node:assert/strict";
import { test } from "node:test";
import { SparePlaces } from "../../src/engine/spare-places.ts";

test("a low concurrency gets a place for each row that gets no answer, up to four rows in all", () => {
  for (const [concurrency, counts] of [
    [1, [1, 2, 3, 3]],
    [3, [1, 1, 1, 1]],
    [4, [0, 0, 0, 0]],
    [32, [0, 0, 0, 0]],
  ] as const) {
    const places = new SparePlaces(concurrency);
    let calls = 0;
    places.onMore = () => (calls += 1);
    assert.equal(places.count, 0);
    const releases = counts.map((count) => {
      const release = places.stuck();
      assert.equal(places.count, count);
      return release;
    });
    assert.equal(calls, 4);
    for (const release of releases) release();
    assert.equal(places.count, 0);
  }
});
