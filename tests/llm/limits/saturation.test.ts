import assert from "node:assert/strict";
import { test } from "node:test";
import { Saturation } from "../../../src/llm/limits/saturation.ts";

/** Notes a rejection after each of these, in calls of 100 tokens. */
function note(
  saturation: Saturation,
  rejections: readonly (readonly [atMs: number, count: number])[],
  chance = 0,
): void {
  for (const [atMs, count] of rejections) saturation.rejected({ atMs, count, cost: 100 * count }, chance);
}

test("what was accepted between the first and the newest rejection, by that time, is the quota", () => {
  const saturation = new Saturation();
  note(saturation, [
    [1000, 40],
    [1500, 50],
    [3000, 80],
  ]);
  assert.deepEqual(saturation.measured, { rate: 2000, count: 40 });
  assert.equal(saturation.rejectedCount, 3);
});

test("a short time, or few calls, measure nothing", () => {
  const saturation = new Saturation();
  assert.equal(saturation.measured, undefined);
  note(saturation, [
    [1000, 40],
    [1399, 80],
  ]);
  assert.equal(saturation.measured, undefined, "less than 400 ms");
  const slow = new Saturation();
  note(slow, [
    [1000, 40],
    [9000, 42],
  ]);
  assert.equal(slow.measured, undefined, "two calls");
});

test("rejections far apart do not show that the quota was used up between them", () => {
  const saturation = new Saturation();
  note(saturation, [
    [1000, 0],
    [2000, 61],
  ]);
  assert.equal(saturation.measured, undefined);
  note(saturation, [[3000, 121]]);
  assert.deepEqual(saturation.measured, { rate: 6000, count: 60 }, "it begins at the second one");
});

test("where some calls are rejected whatever the pace, rejections have to be closer together", () => {
  const saturation = new Saturation();
  note(
    saturation,
    [
      [1000, 0],
      [2000, 30],
    ],
    0.05,
  );
  const measured = (): number | undefined => saturation.measured?.count;
  assert.equal(measured(), undefined, "of ten calls and more one is rejected by chance as a rule");
  note(saturation, [[3000, 39]], 0.05);
  assert.equal(measured(), 9);
});

test("after a restart nothing is measured", () => {
  const saturation = new Saturation();
  note(saturation, [
    [1000, 0],
    [2000, 30],
  ]);
  saturation.restart();
  assert.equal(saturation.measured, undefined);
  assert.equal(saturation.rejectedCount, 0);
});
