import assert from "node:assert/strict";
import { test } from "node:test";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { retryTransport } from "../../../src/llm/call/transport-retry.ts";

const transient = (code = "SERVICE_UNAVAILABLE") => new ProviderError("transient", code, "again");

/** Calls an attempt that fails with these errors and then succeeds. */
async function retried(errors: readonly Error[], isDown: (failures: number) => boolean = () => false) {
  let calls = 0;
  const delays: number[] = [];
  const admission = {
    get isDown() {
      return isDown(calls);
    },
    sleep: async (delayMs: number) => void delays.push(delayMs),
  };
  const attempt = async (): Promise<string> => {
    const error = errors[calls];
    calls += 1;
    if (error !== undefined) throw error;
    return "answer";
  };
  const { signal } = new AbortController();
  const result = await retryTransport(attempt, {
    admission,
    signal,
    maxTransportRetries: 5,
    retryDelayMs: [500, 30_000],
  }).catch((error: unknown) => error);
  return { result, calls, delays };
}

test("a transient failure is tried again, up to five times", async () => {
  assert.deepEqual((await retried([transient(), transient()])).result, "answer");
  const { result, calls } = await retried(Array.from({ length: 9 }, () => transient()));
  assert.ok(result instanceof ProviderError);
  assert.equal(calls, 6);
});

test("the wait is a random part of a bound that doubles, and never more than the longest", async () => {
  const { delays } = await retried(Array.from({ length: 5 }, () => transient()));
  assert.equal(delays.length, 5);
  for (const [index, delay] of delays.entries()) assert.ok(delay >= 0 && delay <= 500 * 2 ** index, `${delay}`);
});

test("a 429 uses up no retry and waits for the gate alone", async () => {
  const { result, delays } = await retried(Array.from({ length: 40 }, () => transient("RATE_LIMITED")));
  assert.equal(result, "answer");
  assert.deepEqual(delays, []);
});

test("while the service is down failures use up no retry", async () => {
  const { result, calls } = await retried(
    Array.from({ length: 30 }, () => transient()),
    (failures) => failures > 2,
  );
  assert.equal(result, "answer");
  assert.equal(calls, 31);
});

test("what is wrong with the row or the run is not tried again", async () => {
  for (const error of [
    new ProviderError("row", "REFUSAL", "no"),
    new ProviderError("run", "FORBIDDEN", "403"),
    new Error("bug"),
  ]) {
    const { result, calls } = await retried([error]);
    assert.deepEqual([result, calls], [error, 1]);
  }
});

test("after an abort nothing is tried again", async () => {
  const stop = new AbortController();
  let calls = 0;
  const attempt = async (): Promise<never> => {
    calls += 1;
    stop.abort(new Error("stopped"));
    throw transient();
  };
  const admission = { isDown: false, sleep: async () => {} };
  await assert.rejects(
    retryTransport(attempt, { admission, signal: stop.signal, maxTransportRetries: 5, retryDelayMs: [0, 0] }),
    { message: "stopped" },
  );
  assert.equal(calls, 1);
});
