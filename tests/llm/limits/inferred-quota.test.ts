import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../../src/index.ts";
import { Admission } from "../../../src/llm/limits/admission.ts";
import { defaultLimits } from "../../../src/llm/limits/default-limits.ts";
import { resolveAdmission } from "../../../src/llm/limits/options.ts";
import { InferredQuota } from "../../../src/llm/limits/inferred-quota.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMResponse } from "../../../src/contracts/provider.ts";
import { RateLimiter } from "../../../src/testing/simulator/rate-limit.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

interface Service {
  readonly requestsPerMinute: number;
  readonly retryAfter: "exact" | "one-second";
}

interface Second {
  accepted: number;
  refused: number;
}

const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
const response: LLMResponse = { text: "{}", finishReason: "stop", model: "m", usage };
const tokens = 100;

/**
 * Callers who ask again and again for so many seconds, under a clock of our own, of a service that counts requests by the
 * second. An answer takes 200 to 300 ms, a refusal one.
 */
async function call(
  callers: number,
  seconds: number,
  serviceAt: (second: number) => Service,
): Promise<{ readonly seconds: readonly Second[]; readonly limits: readonly number[] }> {
  const time = new VirtualTime({ nowMs: 0 });
  const events: RunEvent[] = [];
  const emit = (event: RunEvent): void => void events.push(event);
  const limits = defaultLimits({ concurrency: callers, quota: {}, options: resolveAdmission() });
  const admission = new Admission({ provider: "p", concurrency: callers, limits, time, emit });
  const limiter = new RateLimiter();
  const counts = Array.from({ length: seconds }, (): Second => ({ accepted: 0, refused: 0 }));
  const { signal } = new AbortController();
  let calls = 0;
  const ask = async (): Promise<void> => {
    for (;;) {
      const pass = await admission.enter({ tokens }, signal);
      const second = Math.floor(time.now() / 1000);
      const count = counts[second];
      if (count === undefined) return;
      const bounds = { ...serviceAt(second), requestWindowMs: 1000, tokenWindowMs: 60_000 };
      const { exceeded, retryAfterMs } = limiter.admit(tokens, bounds, time.now());
      count[exceeded === undefined ? "accepted" : "refused"] += 1;
      calls += 1;
      await time.sleep(exceeded === undefined ? 200 + ((calls * 37) % 101) : 1, signal);
      const facts = { status: 429, retryAfterMs };
      if (exceeded === undefined) pass.end({ answer: response });
      else pass.end({ error: new ProviderError("transient", "RATE_LIMITED", "429", facts) });
    }
  };
  for (let caller = 0; caller < callers; caller += 1) void ask();
  for (let second = 0; second < seconds; second += 1) await time.pass(1000);
  const changes = events.flatMap((event) => (event.type === "concurrency-change" ? [event.limit] : []));
  return { seconds: counts, limits: changes };
}

const sum = (seconds: readonly Second[], what: keyof Second): number =>
  seconds.reduce((total, second) => total + second[what], 0);

test("a quota by the second is found by a few refusals that ask for a second, and not exceeded again", async () => {
  const { seconds } = await call(64, 20, () => ({ requestsPerMinute: 6000, retryAfter: "one-second" }));
  assert.ok(sum(seconds.slice(0, 6), "accepted") >= 400, JSON.stringify(seconds.slice(0, 6)));
  assert.ok(sum(seconds, "refused") > 0);
  assert.equal(sum(seconds.slice(6), "refused"), 0);
  assert.equal(sum(seconds.slice(6), "accepted"), 14 * 98, "98 of 100 a second");
});

test("a refusal that asks for a second does not lower the limit of calls in flight", async () => {
  const { seconds, limits } = await call(64, 5, () => ({ requestsPerMinute: 6000, retryAfter: "one-second" }));
  assert.ok(sum(seconds, "refused") > 0);
  assert.deepEqual(limits, []);
});

test("a refusal that names its exact wait lowers that limit, and no quota is looked for", async () => {
  const { seconds, limits } = await call(64, 10, () => ({ requestsPerMinute: 6000, retryAfter: "exact" }));
  assert.equal(limits[0], 44, "0.7 × 64");
  assert.ok(sum(seconds.slice(5), "refused") > 0);
});

test("more calls at once than a second allows are refused as a burst, which lowers the limit", async () => {
  const { limits } = await call(64, 1, () => ({ requestsPerMinute: 1800, retryAfter: "one-second" }));
  assert.equal(limits[0], 44, "0.7 × 64");
});

test("twenty seconds after the last refusal calls go as fast as they can: a quota that has grown is used", async () => {
  const { seconds } = await call(64, 40, (second) => ({
    requestsPerMinute: second < 10 ? 3600 : 60_000,
    retryAfter: "one-second",
  }));
  const lastRefused = seconds.findLastIndex(({ refused }) => refused > 0);
  const kept = seconds.slice(10, lastRefused + 20);
  assert.ok(lastRefused < 10 && kept.length >= 10, `last refused in second ${lastRefused}`);
  for (const { accepted } of kept) assert.ok(accepted <= 60, `${accepted} calls`);
  for (const { accepted } of seconds.slice(lastRefused + 23)) assert.ok(accepted >= 64 * 3, `${accepted} calls`);
});

test("a quota that shrinks is found anew", async () => {
  const { seconds } = await call(64, 30, (second) => ({
    requestsPerMinute: second < 10 ? 6000 : 4800,
    retryAfter: "one-second",
  }));
  assert.equal(sum(seconds.slice(8, 10), "refused"), 0);
  assert.equal(sum(seconds.slice(18), "refused"), 0);
  assert.ok(sum(seconds.slice(18), "accepted") >= 12 * 76, `${sum(seconds.slice(18), "accepted")} calls in 12 s`);
});

/**
 * So many calls get through within half a second, and the next ones are refused. Returns when calls go again.
 */
function goUntilRefused(quota: InferredQuota, accepted: number, refused: number, beganMs: number): number {
  const calls = accepted + refused;
  for (let index = 0; index < calls; index += 1) quota.take(beganMs + (index * 500) / calls);
  for (let index = 0; index < refused; index += 1) assert.equal(quota.rejected(beganMs + 500), true);
  return beganMs + 1500;
}

/** How many calls may go in one moment, of a thousand. */
function goingAtOnce(quota: InferredQuota, nowMs: number): number {
  for (let calls = 0; calls < 1000; calls += 1) {
    if (quota.waitMs(nowMs) > 0) return calls;
    quota.take(nowMs);
  }
  return 1000;
}

test("a number of calls that is met twice is the quota, and 98 % of it are used in a second", () => {
  const quota = new InferredQuota();
  let nowMs = goUntilRefused(quota, 102, 4, 0);
  nowMs = goUntilRefused(quota, 171, 1, nowMs); // those of two slices
  nowMs = goUntilRefused(quota, 100, 30, nowMs);
  assert.equal(goingAtOnce(quota, nowMs), 98);
  assert.equal(quota.waitMs(nowMs + 400), 600, "the next one waits until the first is a second old");
});

test("refusals after different numbers of calls set no quota: they have another reason", () => {
  const quota = new InferredQuota();
  let nowMs = 0;
  for (const accepted of [100, 92, 108, 100]) nowMs = goUntilRefused(quota, accepted, 1, nowMs);
  assert.equal(goingAtOnce(quota, nowMs), 1000);
});

test("what was taken for the quota is so no longer when calls are refused well below it", () => {
  const quota = new InferredQuota();
  let nowMs = 0;
  for (const accepted of [100, 100, 50]) nowMs = goUntilRefused(quota, accepted, 1, nowMs);
  assert.equal(goingAtOnce(quota, nowMs), 1000);
});

test("where nothing goes through, no quota is found", () => {
  const quota = new InferredQuota();
  let nowMs = 0;
  for (const refused of [20, 20, 20]) nowMs = goUntilRefused(quota, 0, refused, nowMs);
  assert.equal(goingAtOnce(quota, nowMs), 1000);
});
