import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenPromises, capTrial } from "./support/cap-trial.ts";

test("the bill is never above the cap, and less than a call is left: 20 runs with lost, cut and untold answers, four of them killed", async () => {
  const runs = await capTrial({ runs: 20, capsPerTable: 4, killEvery: 5, seed: 20, rows: [80, 200] });
  assert.deepEqual(runs.flatMap(brokenPromises), []);
  assert.ok(runs.filter(({ booked }) => booked !== undefined).length >= 8, "some stop at their cap");
  assert.ok(runs.some(({ isKilled }) => isKilled));
});
