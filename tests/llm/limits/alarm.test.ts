import assert from "node:assert/strict";
import { test } from "node:test";
import { Alarm } from "../../../src/llm/limits/alarm.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

test("it rings once, at the moment that it was set to last, and not at all where that was taken back", async () => {
  const time = new VirtualTime({ nowMs: 0 });
  const rung: number[] = [];
  const alarm = new Alarm(time, () => rung.push(time.now()));
  assert.equal(alarm.atMs, Infinity);
  alarm.set(5000);
  alarm.set(1000);
  alarm.set(3000);
  assert.deepEqual([alarm.atMs, time.sleeperCount], [3000, 1]);
  await time.pass(10_000);
  assert.deepEqual([rung, alarm.atMs], [[3000], Infinity]);
  alarm.set(20_000);
  alarm.set(Infinity);
  assert.equal(time.sleeperCount, 0);
  await time.pass(20_000);
  assert.deepEqual(rung, [3000]);
});

test("a moment that has passed rings at once, and one that is too far for a timer looks again", async () => {
  const time = new VirtualTime({ nowMs: 9000 });
  const rung: number[] = [];
  const alarm = new Alarm(time, () => rung.push(time.now()));
  alarm.set(1);
  await time.pass(0);
  assert.deepEqual(rung, [9000]);
  alarm.set(2 ** 40);
  await time.pass(2 ** 31);
  assert.deepEqual(rung, [9000, 9000 + 2 ** 31 - 1]);
});
