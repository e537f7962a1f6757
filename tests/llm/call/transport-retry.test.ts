import assert from "node:assert/strict";
import { test } from "node:test";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { Again, retryTransport } from "../../../src/llm/call/transport-retry.ts";

const error = new ProviderError("transient", "SERVICE_UNAVAILABLE", "again");
const again = (isCounted: boolean, afterMs = 0): Again => new Again({ type: "again", isCounted, afterMs, error });
const counted = (count: number): Again[] => Array.from({ length: count }, () => again(true));

/** Calls an attempt that fails with these errors and then succeeds. */
async function retried(errors: readonly Error[], random: () => number = () => 0.5) {
  let calls = 0;
  const delays: number[] = [];
  const admission = { sleep: async (delayMs: number) => void delays.push(delayMs) };
  const attempt = async (): Promise<string> => {
    const thrown = errors[calls];
    calls += 1;
    if (thrown !== undefined) throw thrown;
    return "answer";
  };
  const { signal } = new AbortController();
  const result = await retryTransport(attempt, {
    admission,
    random,
    signal,
    maxTransportRetries: 5,
    retryDelayMs: [500, 30_000],
  }).catch((thrown: unknown) => thrown);
  return { result, calls, delays };
}

test("a call that goes again is tried up to five times more, and then fails with its own error", async () => {
  assert.equal((await retried(counted(2))).result, "answer");
  const { result, calls } = await retried(counted(9));
  assert.equal(result, error);
  assert.equal(calls, 6);
});

test("the wait is a random part of a bound that doubles, and never more than the longest", async () => {
  assert.deepEqual((await retried(counted(5))).delays, [250, 500, 1000, 2000, 4000]);
  assert.deepEqual((await retried(counted(5), () => 0.99)).delays, [495, 990, 1980, 3960, 7920]);
});

test("a retry that is not counted uses none up, and waits only as long as the admission says", async () => {
  const { result, delays } = await retried(Array.from({ length: 40 }, () => again(false)));
  assert.equal(result, "answer");
  assert.deepEqual(delays, []);
  assert.deepEqual((await retried([again(false, 100), again(true, 9000)])).delays, [100, 9000]);
});

test("anything else that is thrown is not tried again", async () => {
  for (const thrown of [new ProviderError("row", "REFUSAL", "no"), error, new Error("bug")]) {
    const { result, calls } = await retried([thrown]);
    assert.deepEqual([result, calls], [thrown, 1]);
  }
});

test("after an abort nothing is tried again", async () => {
  const stop = new AbortController();
  let calls = 0;
  const attempt = async (): Promise<never> => {
    calls += 1;
    stop.abort(new Error("stopped"));
    throw again(true);
  };
  const admission = { sleep: async () => {} };
  const options = { admission, random: Math.random, maxTransportRetries: 5, retryDelayMs: [0, 0] } as const;
  await assert.rejects(retryTransport(attempt, { ...options, signal: stop.signal }), { message: "stopped" });
  assert.equal(calls, 1);
});
