import assert from "node:assert/strict";
import { test } from "node:test";
import { failsWith } from "../../support/error-facts.ts";
import { except, flexService, minuteMs, secondMs } from "../../support/flex-service.ts";

test("where there is no room from the start, the first call waits alone, and all go once it is answered", async () => {
  const flex = flexService({ hasRoom: except(0, 60) });
  const state = flex.run(1000);
  await flex.time.pass(60 * minuteMs);
  assert.ok(flex.attempts.length <= 150, `${flex.attempts.length} requests in an hour`);
  assert.deepEqual([...new Set(flex.attempts.map(({ row }) => row))], ["0"]);
  await flex.time.pass(3 * minuteMs);
  assert.deepEqual([state.answered, state.failed], [1000, []]);
});

test("a call goes in the standard tier when it has waited for exactly as long as it may", async () => {
  const tierFallbackMs = 10 * minuteMs;
  const flex = flexService({ hasRoom: except(1, 1000), tierFallbackMs });
  const state = flex.run(20_000);
  await flex.time.pass(11 * minuteMs);
  const shortSince = flex.attempts.find(({ outcome }) => outcome === "NO_CAPACITY")?.atMs ?? assert.fail();
  await flex.time.pass(minuteMs);
  const standard = flex.attempts.filter(({ tier }) => tier === "default");
  const [first] = standard;
  assert.ok(first !== undefined);
  // The failure is known 20 ms after the attempt.
  assert.ok(Math.abs(first.atMs - (shortSince + 20 + tierFallbackMs)) <= 2, `${first.atMs - shortSince}`);
  const firstWave = standard.filter(({ atMs }) => atMs < shortSince + tierFallbackMs + 30 * secondMs);
  assert.equal(new Set(firstWave.map(({ row }) => row)).size, 256, "all that waited as long");
  assert.equal(firstWave.length, 256, "each once");
  const waves = standard.length;
  await flex.time.pass(10 * minuteMs);
  assert.ok(flex.attempts.filter(({ tier }) => tier === "default").length >= waves + 256, "the next rows wait as long");
  assert.deepEqual(state.failed, []);
});

test("with a fallback the run never stops for want of room, and goes on in Flex once there is some", async () => {
  const flex = flexService({
    hasRoom: except(1, 180),
    tierFallbackMs: 5 * minuteMs,
    capacityTimeoutMs: 20 * minuteMs,
    concurrency: 16,
  });
  const state = flex.run(3000);
  await flex.time.pass(180 * minuteMs);
  assert.deepEqual(state.failed, []);
  assert.ok(flex.between(minuteMs, 180 * minuteMs, "answer").length >= 16 * 30, "16 rows every 5 minutes");
  await flex.time.pass(minuteMs);
  const later = flex.between(180.8 * minuteMs, 181 * minuteMs);
  assert.ok(later.length > 0 && later.every(({ tier, outcome }) => tier === undefined && outcome === "answer"));
});

test("a fallback after 0 ms goes in the standard tier at once", async () => {
  const flex = flexService({ hasRoom: () => false, tierFallbackMs: 0 });
  const state = flex.run(100);
  await flex.time.pass(minuteMs);
  assert.deepEqual([state.answered, state.failed], [100, []]);
});

test("without a fallback the run stops, resumable, once there was no room for the capacity timeout, and not before", async () => {
  const flex = flexService({ hasRoom: except(1, 1000), capacityTimeoutMs: 60 * minuteMs });
  const state = flex.run(20_000);
  await flex.time.pass(60.9 * minuteMs);
  assert.deepEqual(state.failed, []);
  await flex.time.pass(2 * minuteMs);
  assert.equal(state.answered + state.failed.length, 20_000);
  for (const error of state.failed) failsWith("STALLED", { where: "flex", durationMs: 60 * minuteMs })(error);
});

test("a wait that the service asks for holds", async () => {
  const flex = flexService({ hasRoom: except(1, 6), retryAfterMs: 2 * minuteMs });
  flex.run(20_000);
  await flex.time.pass(6 * minuteMs);
  assert.ok(flex.between(1.1 * minuteMs, 6 * minuteMs).length <= 3);
});
