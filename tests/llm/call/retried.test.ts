import assert from "node:assert/strict";
import { test } from "node:test";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { Again, retried, type RetriedOptions } from "../../../src/llm/call/retried.ts";
import { answer, rowCall } from "../../support/row-call.ts";

const error = new ProviderError("transient", "SERVICE_UNAVAILABLE", "again");
const again = (isCounted: boolean, afterMs = 0): Again => new Again({ type: "again", isCounted, afterMs, error });
const counted = (count: number): Again[] => Array.from({ length: count }, () => again(true));

/** Makes a call whose attempts fail with these errors, until one succeeds. */
async function callWith(
  errors: readonly Error[],
  { random = () => 0.5, others = "started", ...options }: Options = {},
) {
  let calls = 0;
  const delays: number[] = [];
  const admission = {
    sleep: async (delayMs: number) => void delays.push(delayMs),
    get startCount() {
      return calls;
    },
    get answerCount() {
      return others === "none" ? 1 : calls;
    },
    get newestAnswered() {
      return others === "started" ? calls : 0;
    },
  };
  const layer = retried({
    ...{ admission, time: { now: () => 0, random }, maxTransportRetries: 5, retryDelayMs: [500, 30_000] },
    ...options,
  });
  const timeoutFactors: unknown[] = [];
  const ask = layer(async ({ timeoutFactor }) => {
    timeoutFactors.push(timeoutFactor);
    const thrown = errors[calls];
    calls += 1;
    if (thrown !== undefined) throw thrown;
    return answer;
  });
  const result = await ask(rowCall()).catch((thrown: unknown) => thrown);
  return { result, calls, delays, timeoutFactors };
}

interface Options extends Partial<Pick<RetriedOptions, "retryDelayMs" | "maxTransportRetries">> {
  readonly random?: () => number;
  /** Other calls that are answered between the attempts: those that started then, some that were in flight, or none. @default "started" */
  readonly others?: "started" | "in flight" | "none";
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
  const { result, delays } = await callWith(
    Array.from({ length: 40 }, () => again(false)),
    { others: "none" },
  );
  assert.equal(result, answer);
  assert.deepEqual(delays, []);
  assert.deepEqual((await callWith([again(false, 100), again(true, 9000)], { others: "none" })).delays, [100, 9000]);
});

test("where calls in flight are answered, an error of the service or no reply in time counts, and what a gateway says does not", async () => {
  const cases: readonly (readonly [string, number | undefined, number])[] = [
    ["SERVICE_UNAVAILABLE", 500, 6],
    ["TIMEOUT", undefined, 4],
    ["SERVICE_UNAVAILABLE", 502, 10],
    ["SERVICE_UNAVAILABLE", 503, 10],
    ["SERVICE_UNAVAILABLE", 504, 10],
    ["NETWORK_ERROR", undefined, 10],
  ];
  for (const [code, status, expected] of cases) {
    const failed = new ProviderError("transient", code, "no", { status });
    const thrown = Array.from(
      { length: 9 },
      () => new Again({ type: "again", isCounted: true, afterMs: 0, error: failed }),
    );
    assert.equal((await callWith(thrown, { others: "in flight" })).calls, expected, `${code} ${status}`);
    assert.equal((await callWith(thrown, { others: "none" })).calls, 10, `${code} ${status}, alone`);
    const { calls } = await callWith(thrown, { others: "started" });
    assert.equal(calls, code === "TIMEOUT" ? 4 : 6, `${code} ${status}, others start and are answered`);
  }
});

test("a call that is alone waits for the service as long as the admission lets it, and its wait is bounded", async () => {
  const { result, calls, delays } = await callWith(counted(40), { others: "none" });
  assert.deepEqual([result, calls], [answer, 41]);
  assert.deepEqual(delays.slice(0, 3), [250, 500, 1000]);
  assert.equal(Math.max(...delays), 15_000);
});

test("with no retries at all a call that is alone goes once", async () => {
  const { result, calls } = await callWith(counted(3), { others: "none", maxTransportRetries: 0 });
  assert.deepEqual([result, calls], [error, 1]);
});

test("a reply that can't be read counts, also of a call that is alone: the service did answer", async () => {
  const unreadable = new ProviderError("transient", "INVALID_RESPONSE", "no answer");
  const errors = Array.from(
    { length: 9 },
    () => new Again({ type: "again", isCounted: true, afterMs: 0, error: unreadable }),
  );
  const { result, calls } = await callWith(errors, { others: "none" });
  assert.deepEqual([result, calls], [unreadable, 6]);
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
  const admission = { sleep: async () => {}, startCount: 0, answerCount: 0, newestAnswered: 0 };
  const layer = retried({
    admission,
    time: { now: () => 0, random: Math.random },
    maxTransportRetries: 5,
    retryDelayMs: [0, 0],
  });
  const ask = layer(async () => {
    calls += 1;
    stop.abort(new Error("stopped"));
    throw again(true);
  });
  await assert.rejects(ask(rowCall({ signal: stop.signal })), { message: "stopped" });
  assert.equal(calls, 1);
});

test("while the service counts as down, only a row that failed twice while it was up uses up its retries", async () => {
  const reset = new ProviderError("transient", "NETWORK_ERROR", "reset");
  const uncounted = Array.from(
    { length: 9 },
    () => new Again({ type: "again", isCounted: false, afterMs: 0, error: reset }),
  );
  assert.equal((await callWith(uncounted, { others: "none" })).calls, 10, "no other call is answered");
  assert.ok((await callWith(uncounted)).calls < 10, "others are, one after the other");
});

test("a call that times out three times while others are answered has one last attempt, with twice the time", async () => {
  const timeout = new ProviderError("transient", "TIMEOUT", "no answer in time");
  const timedOut = (): Again => new Again({ type: "again", isCounted: true, afterMs: 0, error: timeout });
  const failed = await callWith([timedOut(), timedOut(), timedOut(), timedOut()]);
  assert.deepEqual([failed.result, failed.calls], [timeout, 4]);
  assert.deepEqual(failed.timeoutFactors, [undefined, undefined, undefined, 2]);
  const answered = await callWith([timedOut(), again(true), timedOut()]);
  assert.deepEqual([answered.result, answered.timeoutFactors], [answer, [undefined, undefined, undefined, 2]]);
  const outage = await callWith(Array.from({ length: 20 }, timedOut), { others: "none" });
  assert.deepEqual([outage.result, new Set(outage.timeoutFactors)], [answer, new Set([undefined])]);
  const few = await callWith([timedOut(), timedOut(), timedOut()], { maxTransportRetries: 2 });
  assert.deepEqual([few.result, few.calls], [timeout, 3]);
});
