import assert from "node:assert/strict";
import { test } from "node:test";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { Again, retried, type RetriedOptions } from "../../../src/llm/call/retried.ts";
import { answer, rowCall } from "../../support/row-call.ts";

const error = new ProviderError("transient", "SERVICE_UNAVAILABLE", "again");
const again = (isCounted: boolean, afterMs = 0): Again => new Again({ type: "again", isCounted, afterMs, error });
const counted = (count: number): Again[] => Array.from({ length: count }, () => again(true));

/** Makes a call whose attempts fail with these errors, until one succeeds. */
async function callWith(errors: readonly Error[], { random = () => 0.5, ...options }: Options = {}) {
  let calls = 0;
  const delays: number[] = [];
  const admission = { sleep: async (delayMs: number) => void delays.push(delayMs) };
  const layer = retried({
    ...{ admission, time: { random }, maxTransportRetries: 5, retryDelayMs: [500, 30_000] },
    ...options,
  });
  const ask = layer(async () => {
    const thrown = errors[calls];
    calls += 1;
    if (thrown !== undefined) throw thrown;
    return answer;
  });
  const result = await ask(rowCall()).catch((thrown: unknown) => thrown);
  return { result, calls, delays };
}

interface Options extends Partial<Pick<RetriedOptions, "retryDelayMs">> {
  readonly random?: () => number;
}

test("a call that goes again is tried up to five times more, and then fails with its own error", async () => {
  assert.equal((await callWith(counted(2))).result, answer);
  const { result, calls } = await callWith(counted(9));
  assert.equal(result, error);
  assert.equal(calls, 6);
});

test("the wait is a random part of a bound that doubles, and never more than the longest", async () => {
  assert.deepEqual((await callWith(counted(5))).delays, [250, 500, 1000, 2000, 4000]);
  assert.deepEqual((await callWith(counted(5), { random: () => 0.99 })).delays, [495, 990, 1980, 3960, 7920]);
  const bounded = await callWith(counted(4), { retryDelayMs: [500, 1200] });
  assert.deepEqual(bounded.delays, [250, 500, 600, 600]);
});

test("a retry that is not counted uses none up, and waits only as long as the admission says", async () => {
  const { result, delays } = await callWith(Array.from({ length: 40 }, () => again(false)));
  assert.equal(result, answer);
  assert.deepEqual(delays, []);
  assert.deepEqual((await callWith([again(false, 100), again(true, 9000)])).delays, [100, 9000]);
});

test("anything else that is thrown is not tried again", async () => {
  for (const thrown of [new ProviderError("row", "REFUSAL", "no"), error, new Error("bug")]) {
    const { result, calls } = await callWith([thrown]);
    assert.deepEqual([result, calls], [thrown, 1]);
  }
});

test("after an abort nothing is tried again", async () => {
  const stop = new AbortController();
  let calls = 0;
  const admission = { sleep: async () => {} };
  const layer = retried({ admission, time: { random: Math.random }, maxTransportRetries: 5, retryDelayMs: [0, 0] });
  const ask = layer(async () => {
    calls += 1;
    stop.abort(new Error("stopped"));
    throw again(true);
  });
  await assert.rejects(ask(rowCall({ signal: stop.signal })), { message: "stopped" });
  assert.equal(calls, 1);
});
