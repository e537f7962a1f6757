import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency } from "../../../src/llm/limits/concurrency.ts";
import type { CallOutcome, Limiter } from "../../../src/llm/limits/limiter.ts";

const call = { tokens: 100 };
const answer: CallOutcome = { type: "answer" };
const rateLimit: CallOutcome = { type: "failure", kind: "rate-limit" };
const make = (most: number, isExplained = false): Limiter => concurrency({ most, isExplained: () => isExplained });

/** How many calls it lets in at once. */
function fill(limiter: Limiter): number {
  let count = 0;
  for (; limiter.waitMs(call, 0) === 0; count += 1) limiter.started(call, 0);
  assert.equal(limiter.waitMs(call, 0), Infinity);
  return count;
}

test("so many calls go at once, and each that ends makes room for one", () => {
  const limiter = make(3);
  assert.equal(fill(limiter), 3);
  limiter.ended({ type: "other" }, call, 0);
  assert.equal(fill(limiter), 1);
});

test("it falls by 0.7 when the service is overloaded, at most once a second, and never below one", () => {
  const limiter = make(10);
  fill(limiter);
  assert.deepEqual(limiter.ended(rateLimit, call, 0), [{ type: "limit", limit: 7 }]);
  assert.deepEqual(limiter.ended({ type: "failure", kind: "overload" }, call, 999), []);
  assert.deepEqual(limiter.ended(rateLimit, call, 1000), [{ type: "limit", limit: 4 }]);
  for (let second = 2; second < 20; second += 1) {
    limiter.started(call, 0);
    limiter.ended(rateLimit, call, second * 1000);
  }
  const other = make(1);
  other.started(call, 0);
  assert.deepEqual(other.ended(rateLimit, call, 0), []);
});

test("no other failure lowers it, nor a 429 that is explained otherwise", () => {
  const limiter = make(4);
  fill(limiter);
  for (const kind of ["server", "network", "timeout", "unreadable"] as const) {
    assert.deepEqual(limiter.ended({ type: "failure", kind }, call, 0), []);
  }
  const explained = make(4, true);
  explained.started(call, 0);
  assert.deepEqual(explained.ended(rateLimit, call, 0), []);
});

test("it grows back by one for each round of answers, up to the most", () => {
  const limiter = make(4);
  fill(limiter);
  limiter.ended(rateLimit, call, 0);
  const limits: number[] = [];
  for (let count = 0; count < 20; count += 1) {
    limiter.started(call, 0);
    for (const event of limiter.ended(answer, call, 0)) if (event.type === "limit") limits.push(event.limit);
  }
  assert.deepEqual(limits, [3, 4]);
});

test("the first answer lowers it to what the service says is left, in requests and in tokens", () => {
  for (const [rateLimitLeft, limit] of [
    [{ remainingRequests: 20, remainingTokens: 550 }, 5],
    [{ remainingRequests: 3 }, 3],
  ] as const) {
    const limiter = make(64);
    limiter.started(call, 0);
    assert.deepEqual(limiter.ended({ type: "answer", rateLimit: rateLimitLeft }, call, 0), [{ type: "limit", limit }]);
  }
});
