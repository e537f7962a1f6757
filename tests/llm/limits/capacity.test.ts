import assert from "node:assert/strict";
import { test } from "node:test";
import { capacity, type CapacityOptions } from "../../../src/llm/limits/capacity.ts";
import type { CallOutcome, CallSize } from "../../../src/llm/limits/limiter.ts";
import { defaultLimits } from "../../../src/llm/limits/default-limits.ts";
import { resolveAdmission } from "../../../src/llm/limits/options.ts";

const noRoom: CallOutcome = { type: "failure", kind: "capacity" };
const answer: CallOutcome = { type: "answer" };
const fewest = 12;

function make(options: Partial<CapacityOptions> = {}) {
  const limiter = capacity({ ...resolveAdmission(), random: () => 1, ...options });
  const calls: CallSize[] = [];
  const start = (nowMs: number, call: CallSize = { tokens: 1 }): CallSize => {
    calls.push(call);
    limiter.started(call, nowMs);
    return call;
  };
  /** So many calls that find no room at 0. */
  const shortage = (count = fewest): void => {
    const started = Array.from({ length: count }, () => start(0));
    for (const call of started) limiter.ended(noRoom, call, 0);
  };
  return { limiter, start, shortage };
}

const call = { tokens: 1 };

test("few failures hold nobody else back, and use up no retry", () => {
  const { limiter, start } = make();
  for (let count = 1; count < fewest; count += 1)
    assert.deepEqual(limiter.ended(noRoom, start(0), 0), [{ type: "again", afterMs: 0 }]);
  assert.equal(limiter.waitMs(call, 0), 0);
});

test("where all fail, single probes go, further and further apart, until one is answered", () => {
  const { limiter, start, shortage } = make();
  shortage();
  let nowMs = 0;
  for (const delayMs of [5000, 10_000, 20_000, 30_000, 30_000]) {
    assert.equal(limiter.waitMs(call, nowMs), delayMs);
    nowMs += delayMs;
    const probe = start(nowMs);
    assert.equal(limiter.waitMs(call, nowMs), Infinity);
    limiter.ended(noRoom, probe, nowMs);
  }
  nowMs += 30_000;
  limiter.ended(answer, start(nowMs), nowMs + 60_000);
  assert.equal(limiter.waitMs(call, nowMs + 60_000), 0);
});

test("a shortage that comes back at once goes on as it was; one that comes back later begins anew", () => {
  for (const [laterMs, delayMs] of [
    [100, 10_000],
    [40_000, 5000],
  ] as const) {
    const { limiter, start, shortage } = make();
    shortage();
    limiter.ended(answer, start(5000), 6000);
    const again = Array.from({ length: fewest }, () => start(6000));
    for (const one of again) limiter.ended(noRoom, one, 6000 + laterMs);
    assert.equal(limiter.waitMs(call, 6000 + laterMs), delayMs);
  }
});

test("calls that were sent before the shortage tell nothing of its end", () => {
  const { limiter, start, shortage } = make();
  const old = start(0);
  shortage(2 * fewest);
  limiter.ended(answer, old, 1000);
  assert.equal(limiter.waitMs(call, 1000), 4000);
});

test("a probe that ended otherwise tells nothing: the next one goes", () => {
  for (const outcome of [
    { type: "failure", kind: "timeout" },
    { type: "failure", kind: "rate-limit" },
    { type: "other" },
  ] as const) {
    const { limiter, start, shortage } = make();
    shortage();
    limiter.ended(outcome, start(5000), 5100);
    assert.equal(limiter.waitMs(call, 5100), 0);
    limiter.started(call, 5100);
    assert.equal(limiter.waitMs({ tokens: 1 }, 5100), Infinity, "still one at a time");
    limiter.ended(outcome, call, 5100);
  }
});

test("a wait that the service asks for holds its call back, and all while there is no room", () => {
  const { limiter, start } = make();
  const told: CallOutcome = { type: "failure", kind: "capacity", retryAfterMs: 90_000 };
  const calls = Array.from({ length: fewest }, () => start(0));
  for (const one of calls) assert.partialDeepStrictEqual(limiter.ended(told, one, 0).at(-1), { afterMs: 90_000 });
  assert.equal(limiter.waitMs(call, 0), 90_000);
});

test("a call goes in the standard tier after its wait, which this limiter then does not concern", () => {
  const { limiter, start, shortage } = make({ fallbackMs: 60_000 });
  shortage();
  const waiting = { tokens: 1, tierWait: { enteredMs: 20_000 } };
  const first = start(5000); // a probe, that takes long
  assert.equal(limiter.waitMs(waiting, 30_000), 50_000);
  assert.equal(limiter.waitMs(waiting, 80_000), 0);
  start(80_000, waiting);
  assert.partialDeepStrictEqual(waiting.tierWait, { isOver: true });
  assert.equal(limiter.waitMs(waiting, 80_000), 0);
  assert.deepEqual(limiter.ended(answer, waiting, 81_000), []);
  assert.equal(limiter.waitMs(call, 81_000), Infinity, "the tier has no more room for that");
  limiter.ended(answer, first, 82_000);
  assert.equal(limiter.waitMs(call, 82_000), 0);
});

test("a stall is told without a fallback only, and not while a call is in flight", () => {
  const capacityTimeoutMs = 3_600_000;
  const { limiter, start, shortage } = make({ capacityTimeoutMs });
  assert.equal(limiter.stall?.(), undefined);
  shortage();
  assert.deepEqual(limiter.stall?.(), { atMs: capacityTimeoutMs, durationMs: capacityTimeoutMs });
  const probe = start(capacityTimeoutMs);
  assert.equal(limiter.stall?.(), undefined);
  assert.deepEqual(limiter.ended(noRoom, probe, capacityTimeoutMs + 1), [
    { type: "stalled", durationMs: capacityTimeoutMs },
  ]);
  const other = make({ capacityTimeoutMs, fallbackMs: 60_000 });
  other.shortage();
  assert.equal(other.limiter.stall?.(), undefined);
});

test("no other limiter takes want of room for an outage, a quota or a stall", () => {
  const [pace, outage, , concurrency, ...others] = defaultLimits({
    ...{ concurrency: 64, quota: {}, timeoutMs: 900_000, random: () => 0.5 },
    options: resolveAdmission({ stallTimeoutMs: 1000 }),
  });
  assert.deepEqual(others, []);
  for (const limiter of [pace, outage, concurrency]) {
    assert.ok(limiter !== undefined);
    for (let nowMs = 0; nowMs < 100_000; nowMs += 500) {
      const one = { tokens: 100 };
      assert.equal(limiter.waitMs(one, nowMs), 0);
      limiter.started(one, nowMs);
      assert.deepEqual(limiter.ended(noRoom, one, nowMs + 20), []);
      assert.equal(limiter.stall?.(), undefined);
    }
  }
});
