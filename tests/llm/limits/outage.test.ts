import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallOutcome, LimitEvent, Limiter } from "../../../src/llm/limits/limiter.ts";
import { resolveAdmission } from "../../../src/llm/limits/options.ts";
import { outage } from "../../../src/llm/limits/outage.ts";

const call = { tokens: 1 };
const failure: CallOutcome = { type: "failure", kind: "network" };
const pause = (durationMs: number): LimitEvent => ({ type: "pause", reason: "outage", durationMs });
const again: LimitEvent = { type: "again", afterMs: 0 };

function make(calls: number): Limiter {
  const limiter = outage(resolveAdmission({ outageFailures: 3, stallTimeoutMs: 60_000 }));
  for (let count = 0; count < calls; count += 1) limiter.started(call, 0);
  return limiter;
}

test("after so many failures in a row it lets one call go at a time, and failures use up no retry", () => {
  const limiter = make(4);
  assert.deepEqual(limiter.ended(failure, call, 0), []);
  assert.deepEqual(limiter.ended(failure, call, 0), []);
  assert.deepEqual(limiter.ended(failure, call, 0), [{ type: "limit", limit: 1 }, pause(5000), again]);
  assert.equal(limiter.waitMs(call, 0), Infinity, "a call of before is in flight");
  assert.deepEqual(limiter.ended(failure, call, 0), [again], "which is no probe");
  assert.equal(limiter.waitMs(call, 1000), 4000);
  limiter.started(call, 5000);
  assert.equal(limiter.waitMs(call, 5000), Infinity);
  assert.deepEqual(limiter.ended(failure, call, 5000), [pause(10_000), again]);
});

test("a probe that the service gives a wait goes by that wait", () => {
  const limiter = make(3);
  for (let count = 0; count < 3; count += 1) limiter.ended(failure, call, 0);
  limiter.started(call, 5000);
  const told = { type: "failure", kind: "overload", retryAfterMs: 200 } as const;
  assert.deepEqual(limiter.ended(told, call, 5000), [{ type: "delay", afterMs: 200 }, again]);
  assert.equal(limiter.waitMs(call, 5000), 200, "all wait for it while the service is down");
});

test("a wait that a failure tells holds its own call back, and no other, while the service is up", () => {
  const limiter = make(2);
  const told = { type: "failure", kind: "overload", retryAfterMs: 5000 } as const;
  assert.deepEqual(limiter.ended(told, call, 0), [{ type: "delay", afterMs: 5000 }]);
  assert.equal(limiter.waitMs(call, 0), 0);
  assert.deepEqual(limiter.ended({ ...told, kind: "rate-limit" }, call, 0), [], "a 429 is another limiter's");
});

test("an answer ends the outage, and the count begins anew", () => {
  const limiter = make(9);
  for (let count = 0; count < 3; count += 1) limiter.ended(failure, call, 0);
  assert.deepEqual(limiter.ended({ type: "answer" }, call, 6000), [{ type: "limit", limit: Infinity }]);
  assert.equal(limiter.waitMs(call, 6000), 0);
  assert.deepEqual([limiter.ended(failure, call, 0), limiter.ended(failure, call, 0)], [[], []]);
});

test("429s and failures of single rows make no outage", () => {
  const limiter = make(20);
  for (let count = 0; count < 9; count += 1) {
    assert.deepEqual(limiter.ended({ type: "failure", kind: "rate-limit" }, call, 0), []);
    assert.deepEqual(limiter.ended({ type: "other" }, call, 0), []);
  }
  assert.equal(limiter.waitMs(call, 0), 0);
});

test("the run is to end when no call has succeeded for the stall timeout, counted from the first failure", () => {
  const limiter = make(9);
  limiter.ended({ type: "answer" }, call, 0);
  limiter.ended({ type: "failure", kind: "rate-limit" }, call, 100_000);
  limiter.ended({ type: "answer" }, call, 150_000); // the clock begins anew
  limiter.ended(failure, call, 160_000);
  assert.deepEqual(limiter.ended(failure, call, 220_000), []);
  assert.deepEqual(limiter.ended(failure, call, 220_001), [{ type: "stalled", durationMs: 60_000 }]);
});

test("failures of calls that failed while others were answered make no outage, however many", () => {
  const limiter = make(20);
  for (let count = 0; count < 12; count += 1) limiter.ended({ ...failure, isRefuted: true }, call, 0);
  assert.equal(limiter.waitMs(call, 0), 0);
  for (let count = 0; count < 3; count += 1) limiter.ended(failure, call, 0);
  assert.deepEqual(
    limiter.ended({ ...failure, isRefuted: true }, call, 0),
    [again],
    "one that began meanwhile is theirs, too",
  );
});

test("an error of a row shows that the service is there: the stall timeout begins anew", () => {
  const limiter = make(4);
  limiter.ended(failure, call, 0);
  limiter.ended({ type: "other", isOfRow: true }, call, 50_000);
  assert.deepEqual(limiter.ended(failure, call, 100_000), []);
  assert.deepEqual(limiter.stall?.(), undefined, "a call is in flight");
  limiter.ended({ type: "other" }, call, 110_000);
  assert.equal(limiter.stall?.()?.atMs, 160_000, "an error of the run, or of code, shows nothing");
});
