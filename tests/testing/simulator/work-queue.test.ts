import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkQueue } from "../../../src/testing/simulator/work-queue.ts";

test("so many requests are worked on at once, the others in the order in which they came", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const queue = new WorkQueue(() => 2);
  const done: string[] = [];
  for (const [name, durationMs] of [
    ["a", 30],
    ["b", 10],
    ["c", 10],
    ["d", 5],
  ] as const) {
    queue.add(durationMs, () => done.push(name));
  }
  const at = (ms: number): string => {
    context.mock.timers.tick(ms);
    return done.join("");
  };
  assert.deepEqual([at(9), at(1), at(9), at(1), at(4), at(1), at(5)], ["", "b", "b", "bc", "bc", "bcd", "bcda"]);
});

test("more slots count from the next start on", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let slots = 1;
  const queue = new WorkQueue(() => slots);
  let done = 0;
  for (let index = 0; index < 9; index += 1) queue.add(10, () => (done += 1));
  context.mock.timers.tick(10);
  assert.equal(done, 1);
  slots = Infinity;
  context.mock.timers.tick(10);
  assert.equal(done, 2);
  context.mock.timers.tick(10);
  assert.equal(done, 9);
});
