// Full lane: 256 calls in flight through half an hour of virtual time take seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { except, flexService, minuteMs, secondMs } from "../../support/flex-service.ts";
import { seededRandom } from "../../support/limited-service.ts";

test("20 minutes without room cost few requests, and nothing else: no row, no retry, no limit", async () => {
  const flex = flexService({ hasRoom: except(1, 21) });
  const state = flex.run(20_000);
  await flex.time.pass(minuteMs);
  const before = state.answered;
  await flex.time.pass(20 * minuteMs);
  const during = flex.between(minuteMs, 21 * minuteMs);
  assert.ok(during.length <= 256 + 60, `${during.length} requests`);
  const afterFirstMinute = flex.between(2 * minuteMs, 21 * minuteMs);
  assert.ok(afterFirstMinute.length <= 60, `${afterFirstMinute.length} requests after the first minute`);
  await flex.time.pass(minuteMs + 40 * secondMs);
  const rate = flex.between(22 * minuteMs, 22.5 * minuteMs).length;
  assert.ok(rate >= 15 * 256 * 0.95, `${rate} requests in half a minute: as many as before`);
  assert.ok(before > 0 && flex.events.every(({ type }) => type !== "concurrency-change"));
  const reasons = flex.events.flatMap((event) => (event.type === "gate-close" ? [event.reason] : []));
  assert.deepEqual([...new Set(reasons)], ["capacity"]);
  await flex.time.pass(10 * minuteMs);
  assert.deepEqual([state.answered, state.failed], [20_000, []]);
});

test("a part of the calls without room waits each for itself: the others go on", async () => {
  const random = seededRandom(9);
  const flex = flexService({ hasRoom: () => random() < 0.7 });
  const state = flex.run(20_000);
  await flex.time.pass(10 * minuteMs);
  assert.deepEqual([state.answered, state.failed], [20_000, []]);
  const ideal = (20_000 / 256) * 2 * secondMs;
  assert.ok(state.doneAtMs < 2 * ideal, `${state.doneAtMs} ms, ${ideal} at best`);
});

test("room for a few at a time is used, without a hail of requests", async () => {
  const flex = flexService({ hasRoom: (_, inFlight) => inFlight < 20 });
  const state = flex.run(3000);
  await flex.time.pass(60 * minuteMs);
  assert.deepEqual([state.answered, state.failed], [3000, []]);
  const perMinute = flex.between(0, state.doneAtMs, "NO_CAPACITY").length / (state.doneAtMs / minuteMs);
  assert.ok(perMinute < 2000, `${perMinute} requests a minute in vain`);
});

test("a quota is found as it is without want of room, and kept after it", async () => {
  const shares = [except(1000, 1000), except(2, 22)].map(async (hasRoom) => {
    const flex = flexService({ hasRoom, perSecond: 20 });
    const state = flex.run(60_000);
    await flex.time.pass(32 * minuteMs);
    assert.deepEqual(state.failed, []);
    const first = flex.between(minuteMs, 2 * minuteMs, "answer").length;
    const last = flex.between(24 * minuteMs, 32 * minuteMs, "answer").length / 8;
    return [first / 1200, last / 1200];
  });
  const [[, alone = 0] = [], [before = 0, after = 0] = []] = await Promise.all(shares);
  assert.ok(before > 0.9 && after > 0.95 * alone, JSON.stringify({ before, after, alone }));
});

test("a quota that shows first after a shortage is found as fast as one at the start", async () => {
  const flex = flexService({ hasRoom: except(0, 20), perSecond: 20 });
  const state = flex.run(60_000);
  await flex.time.pass(30 * minuteMs);
  assert.deepEqual(state.failed, []);
  const share = flex.between(21.5 * minuteMs, 30 * minuteMs, "answer").length / (8.5 * 1200);
  assert.ok(share > 0.9, `${share}`);
});
