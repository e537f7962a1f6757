import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Admission, type Pass } from "../../../src/llm/limits/admission.ts";
import { type Limiter, noEvents } from "../../../src/llm/limits/limiter.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

const answer = {
  text: "{}",
  finishReason: "stop",
  model: "m",
  usage: { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 },
} as const;

/** A queue before one limiter, which lets calls go while their tokens in flight are at most `most`. */
function queueOf(most: number, waitMs = Infinity) {
  let inFlight = 0;
  const limiter: Limiter = {
    waitMs: ({ tokens }) => (inFlight + tokens <= most ? 0 : waitMs),
    started: ({ tokens }) => void (inFlight += tokens),
    ended: (_, { tokens }) => {
      inFlight -= tokens;
      return noEvents;
    },
  };
  const time = new VirtualTime();
  const admission = new Admission({ provider: "p", concurrency: 9, limits: [limiter], time, emit: () => {} });
  const started: number[] = [];
  const enter = async (tokens: number, signal = new AbortController().signal): Promise<Pass> => {
    const pass = await admission.enter({ tokens }, signal);
    started.push(tokens);
    return pass;
  };
  return { enter, started, time };
}

test("a waiting call that is aborted lets those behind it go at once, with nobody else's help", async () => {
  for (const waitMs of [Infinity, 60_000]) {
    const { enter, started, time } = queueOf(10, waitMs);
    await enter(5);
    const stop = new AbortController();
    const large = enter(9, stop.signal);
    const behind = [enter(2), enter(3)];
    await setImmediate();
    assert.deepEqual(started, [5], "first come, first served: the large call holds the others back");
    stop.abort(new Error("its row was given up"));
    await assert.rejects(large, { message: "its row was given up" });
    await setImmediate();
    assert.deepEqual(started, [5, 2, 3]);
    await Promise.all(behind);
    assert.equal(time.sleeperCount, 0, "no timer is left of the one who has gone");
  }
});

test("a call that is aborted while it waits takes no place, and one that leaves from the middle changes no order", async () => {
  const { enter, started } = queueOf(4);
  const first = await enter(4);
  const stop = new AbortController();
  const second = enter(3, stop.signal);
  const third = enter(4, stop.signal);
  const fourth = enter(1);
  const rest = [second, third].map(async (one) => await assert.rejects(one, { message: "stopped" }));
  stop.abort(new Error("stopped"));
  await Promise.all(rest);
  first.end({ answer });
  await setImmediate();
  assert.deepEqual(started, [4, 1]);
  const last = enter(3);
  await setImmediate();
  assert.deepEqual(started, [4, 1, 3], "all of the limit is there for those who stayed");
  await Promise.all([fourth, last]);
});
