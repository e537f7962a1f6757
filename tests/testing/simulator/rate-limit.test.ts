import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimiter, type RateLimits } from "../../../src/testing/simulator/rate-limit.ts";

const none: RateLimits = { requestWindowMs: 1000, tokenWindowMs: 60_000, retryAfter: "exact" };
const headersOf = (names: readonly string[]): Map<string, string> =>
  new Map(names.flatMap((name, index) => (index % 2 === 0 ? [[name, names[index + 1] ?? ""]] : [])));

/** The number of admitted requests among `count` at one moment. */
function admitted(limiter: RateLimiter, limits: RateLimits, nowMs: number, count: number, tokens = 1): number {
  let fine = 0;
  for (let index = 0; index < count; index += 1) {
    if (limiter.admit(tokens, limits, nowMs).exceeded === undefined) fine += 1;
  }
  return fine;
}

test("without limits everything comes in and no header tells of any", () => {
  const { exceeded, retryAfterMs, headers } = new RateLimiter().admit(1e9, none, 5);
  assert.deepEqual([exceeded, retryAfterMs, headers], [undefined, 0, []]);
});

test("requests are limited in windows: 12,000 a minute are 200 in each second", () => {
  const limiter = new RateLimiter();
  const limits: RateLimits = { ...none, requestsPerMinute: 12_000 };
  for (let second = 0; second < 3; second += 1) assert.equal(admitted(limiter, limits, second * 1000 + 10, 250), 200);
  const { exceeded, retryAfterMs } = limiter.admit(1, limits, 2400.5);
  assert.deepEqual([exceeded, retryAfterMs], ["requests", 600]);
  assert.equal(admitted(new RateLimiter(), { ...limits, requestWindowMs: 10_000 }, 0, 3000), 2000);
});

test("a window that has less than one request lends to the next, and over an hour none is lost", () => {
  for (const requestsPerMinute of [1, 7, 30, 59, 60, 61, 100]) {
    const limits: RateLimits = { ...none, requestsPerMinute };
    const limiter = new RateLimiter();
    let total = 0;
    for (let second = 0; second < 3600; second += 1) total += admitted(limiter, limits, second * 1000, 5);
    assert.equal(total, 60 * requestsPerMinute);
    for (let second = 3600; second < 3700; second += 1) {
      const { exceeded, retryAfterMs = 0 } = limiter.admit(1, limits, second * 1000 + 300);
      if (exceeded === undefined) continue;
      const waiter = new RateLimiter();
      assert.equal(admitted(waiter, limits, second * 1000 + 300 + retryAfterMs - 1, 1), 0, "not before");
      assert.equal(admitted(waiter, limits, second * 1000 + 300 + retryAfterMs, 1), 1, "but then");
    }
  }
});

test("tokens are counted when a request is let in; one that is turned away costs a request all the same", () => {
  const limiter = new RateLimiter();
  const limits: RateLimits = { ...none, tokensPerMinute: 6000, tokenWindowMs: 20_000, requestsPerMinute: 600 };
  const first = limiter.admit(1500, limits, 0);
  assert.deepEqual(Object.fromEntries(headersOf(first.headers)), {
    "x-ratelimit-limit-requests": "600",
    "x-ratelimit-remaining-requests": "9",
    "x-ratelimit-reset-requests": "1",
    "x-ratelimit-limit-tokens": "6000",
    "x-ratelimit-remaining-tokens": "500",
    "x-ratelimit-reset-tokens": "20",
  });
  const second = limiter.admit(501, limits, 0);
  assert.deepEqual([second.exceeded, second.retryAfterMs], ["tokens", 20_000]);
  assert.equal(headersOf(second.headers).get("x-ratelimit-remaining-requests"), "8");
  assert.equal(limiter.admit(500, limits, 0).exceeded, undefined);
  assert.equal(limiter.admit(2000, limits, 20_000).exceeded, undefined, "the next window is whole again");
});

test("a limit that is changed holds from the next request on, within the window, too", () => {
  const limiter = new RateLimiter();
  assert.equal(admitted(limiter, { ...none, requestsPerMinute: 6000 }, 0, 70), 70);
  assert.equal(admitted(limiter, { ...none, requestsPerMinute: 2400 }, 0, 10), 0);
  assert.equal(admitted(limiter, { ...none, requestsPerMinute: 2400 }, 1000, 100), 40);
});

test("the wait is always one second where that is wanted", () => {
  const limiter = new RateLimiter();
  const limits: RateLimits = { ...none, requestsPerMinute: 1, requestWindowMs: 60_000, retryAfter: "one-second" };
  assert.equal(limiter.admit(1, limits, 0).retryAfterMs, 0);
  assert.equal(limiter.admit(1, limits, 0).retryAfterMs, 1000);
});

test("a bucket fills steadily: 12,000 a minute are 200 at once, then one each 5 ms, and a refused request costs nothing", () => {
  const limiter = new RateLimiter();
  const limits: RateLimits = { ...none, limitKind: "bucket", requestsPerMinute: 12_000 };
  assert.equal(admitted(limiter, limits, 1000, 250), 200);
  assert.equal(limiter.admit(1, limits, 1000).retryAfterMs, 5, "the time to the next free place");
  assert.equal(limiter.admit(1, limits, 1003.5).retryAfterMs, 2);
  assert.equal(admitted(limiter, limits, 1004.999, 5), 0);
  assert.equal(admitted(limiter, limits, 1005, 5), 1);
  assert.equal(admitted(limiter, limits, 1105, 100), 20);
  assert.equal(admitted(limiter, limits, 60_000, 500), 200, "it holds the quota of one window");
  let total = 0;
  for (let nowMs = 60_001; nowMs <= 70_000; nowMs += 1) total += admitted(limiter, limits, nowMs, 2);
  assert.equal(total, 2000);
});

test("whoever waits as long as a bucket says comes in, and no sooner, whatever the quota", () => {
  for (const requestsPerMinute of [1, 7, 59, 100, 12_000, 55_555]) {
    const limits: RateLimits = { ...none, limitKind: "bucket", requestsPerMinute };
    const limiter = new RateLimiter();
    admitted(limiter, limits, 0, 2000);
    for (let nowMs = 0, turn = 0; turn < 50; turn += 1) {
      const { exceeded, retryAfterMs = 0 } = limiter.admit(1, limits, nowMs);
      assert.equal(exceeded, "requests");
      assert.ok(retryAfterMs >= 1);
      if (retryAfterMs > 1) assert.equal(admitted(limiter, limits, nowMs + retryAfterMs - 1, 1), 0, "not before");
      nowMs += retryAfterMs + turn / 64;
      assert.ok(admitted(limiter, limits, nowMs, 2000) >= 1, "but then");
    }
  }
});

test("tokens have a bucket of their own; what is larger than the bucket comes in when it is full", () => {
  const limiter = new RateLimiter();
  const limits: RateLimits = { ...none, limitKind: "bucket", tokensPerMinute: 60_000, tokenWindowMs: 10_000 };
  const first = limiter.admit(9000, limits, 0);
  assert.deepEqual(Object.fromEntries(headersOf(first.headers)), {
    "x-ratelimit-limit-tokens": "60000",
    "x-ratelimit-remaining-tokens": "1000",
    "x-ratelimit-reset-tokens": "0",
  });
  const second = limiter.admit(1500, limits, 0);
  assert.deepEqual([second.exceeded, second.retryAfterMs], ["tokens", 500]);
  assert.equal(headersOf(second.headers).get("x-ratelimit-reset-tokens"), "9");
  assert.equal(limiter.admit(1500, limits, 500).exceeded, undefined);
  assert.equal(limiter.admit(20_000, limits, 500).retryAfterMs, 10_000);
  assert.equal(limiter.admit(20_000, limits, 10_500).exceeded, undefined);
});

test("the wait is told exactly, as a second at least, in whole seconds, as zero, or not at all", () => {
  const told = (retryAfter: RateLimits["retryAfter"], requestsPerMinute: number): number | undefined => {
    const limiter = new RateLimiter();
    const limits: RateLimits = { ...none, limitKind: "bucket", requestsPerMinute, retryAfter };
    admitted(limiter, limits, 0, 200);
    return limiter.admit(1, limits, 0).retryAfterMs;
  };
  const cases = [
    ["exact", 5, 2500],
    ["one-second", 1000, 1000],
    ["at-least-one-second", 1000, 2500],
    ["whole-seconds", 1000, 3000],
    ["zero", 0, 0],
    ["none", undefined, undefined],
  ] as const;
  for (const [retryAfter, short, long] of cases) {
    assert.deepEqual([told(retryAfter, 12_000), told(retryAfter, 24)], [short, long], retryAfter);
  }
});
