import assert from "node:assert/strict";
import { test } from "node:test";
import { withinLimit, type TimeLimit } from "../../src/engine/time-limit.ts";
import { failsWith } from "../support/error-facts.ts";

const limit: TimeLimit = { code: "SINK_FAILED", what: "own: open", option: "openTimeoutMs", limitMs: 60_000 };
const never = async (): Promise<never> => await new Promise<never>(() => {});

test("what ends in time is as if there were no limit, and leaves no timer and no listener", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { signal } = new AbortController();
  assert.equal(await withinLimit({ ...limit, signal }, async () => 7), 7);
  const own = new Error("own");
  await assert.rejects(
    withinLimit({ ...limit, signal }, async () => await Promise.reject(own)),
    own,
  );
  t.mock.timers.tick(120_000);
});

test("what does not end fails when its time is over; its signal is aborted, and what comes later is discarded", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const late = Promise.withResolvers<string>();
  const discarded = Promise.withResolvers<string>();
  const signals: AbortSignal[] = [];
  const work = async (signal: AbortSignal): Promise<string> => {
    signals.push(signal);
    return await late.promise;
  };
  const running = withinLimit(limit, work, async (result) => discarded.resolve(result));
  t.mock.timers.tick(59_999);
  assert.equal(signals[0]?.aborted, false);
  t.mock.timers.tick(1);
  await assert.rejects(running, failsWith("SINK_FAILED", { where: "openTimeoutMs", expected: "at most 60000 ms" }));
  assert.equal(signals[0]?.aborted, true);
  late.resolve("a session");
  assert.equal(await discarded.promise, "a session");
});

test("work that does not heed its abort is left behind, with the abort's reason; also one that comes before", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const isEarly of [false, true]) {
    const abort = new AbortController();
    const reason = new Error("stopped");
    if (isEarly) abort.abort(reason);
    const running = withinLimit({ ...limit, signal: abort.signal }, never);
    const rejected = assert.rejects(running, reason);
    if (!isEarly) abort.abort(reason);
    t.mock.timers.tick(5000);
    await rejected;
  }
});

test("what rejects after its time is over is nobody's", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const late = Promise.withResolvers<never>();
  const running = withinLimit(limit, async () => await late.promise);
  t.mock.timers.tick(60_000);
  await assert.rejects(running, failsWith("SINK_FAILED"));
  late.reject(new Error("nobody hears it"));
  await new Promise((resolve) => setImmediate(resolve));
});
