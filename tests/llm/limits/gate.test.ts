import assert from "node:assert/strict";
import { test } from "node:test";
import { gate } from "../../../src/llm/limits/gate.ts";
import type { CallOutcome, LimitEvent } from "../../../src/llm/limits/limiter.ts";

const call = { tokens: 1 };
const rateLimit = (retryAfterMs?: number): CallOutcome => ({ type: "failure", kind: "rate-limit", retryAfterMs });
const pause = (durationMs: number): LimitEvent => ({ type: "pause", reason: "rate_limit", durationMs });
const again: LimitEvent = { type: "again", afterMs: 0 };

test("it closes for as long as the service asks, and a shorter wait does not open it", () => {
  const limiter = gate();
  assert.equal(limiter.waitMs(call, 0), 0);
  assert.deepEqual(limiter.ended(rateLimit(700), call, 0), [pause(700), again]);
  assert.deepEqual(limiter.ended(rateLimit(100), call, 10), [pause(100), again]);
  assert.equal(limiter.waitMs(call, 300), 400);
  assert.equal(limiter.waitMs(call, 700), 0);
});

test("a 429 that asks for no wait closes nothing, and its call goes again", () => {
  const limiter = gate();
  assert.deepEqual(limiter.ended(rateLimit(0), call, 0), [again]);
  assert.equal(limiter.waitMs(call, 0), 0);
});

test("429s that do not say how long double the wait up to a minute, until an answer comes", () => {
  const limiter = gate();
  const waits = (count: number): number[] =>
    Array.from({ length: count }, () => {
      const [event] = limiter.ended(rateLimit(), call, 0);
      return event?.type === "pause" ? event.durationMs : 0;
    });
  assert.deepEqual(waits(8), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  limiter.ended({ type: "answer" }, call, 0);
  assert.deepEqual(waits(1), [1000]);
});

test("another failure closes it only where the service says how long, and its retry counts", () => {
  const limiter = gate();
  assert.deepEqual(limiter.ended({ type: "failure", kind: "overload", retryAfterMs: 500 }, call, 0), [pause(500)]);
  assert.deepEqual(limiter.ended({ type: "failure", kind: "network" }, call, 0), []);
  assert.deepEqual(limiter.ended({ type: "other" }, call, 0), []);
  assert.equal(limiter.waitMs(call, 0), 500);
});
