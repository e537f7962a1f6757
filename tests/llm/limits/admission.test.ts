import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { RunError, type RunEvent } from "../../../src/index.ts";
import { Admission } from "../../../src/llm/limits/admission.ts";
import { type AdmissionOptions, resolveAdmission } from "../../../src/llm/limits/options.ts";
import { ProviderError, type ProviderErrorFacts } from "../../../src/llm/provider-error.ts";
import type { LLMResponse, Quota, RateLimit } from "../../../src/contracts/provider.ts";

const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
const response = (rateLimit?: RateLimit): LLMResponse => ({
  text: "{}",
  finishReason: "stop",
  model: "m",
  usage,
  rateLimit,
});
const failure = (code: string, facts: ProviderErrorFacts = {}) => new ProviderError("transient", code, "failed", facts);

interface Bench {
  readonly admission: Admission;
  readonly events: RunEvent[];
  /** How many of those who asked are in. */
  readonly admitted: () => number;
  readonly ask: (count: number) => void;
  readonly succeed: (rateLimit?: RateLimit) => void;
  readonly fail: (code: string, facts?: ProviderErrorFacts) => RunError | null;
  readonly pass: (milliseconds: number) => Promise<void>;
}

/** An admission under a clock that stands still but for `pass`. */
async function bench(
  concurrency: number,
  body: (bench: Bench) => Promise<void>,
  { quota = {}, options = {} }: { quota?: Quota; options?: AdmissionOptions } = {},
): Promise<void> {
  let nowMs = 1000;
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => nowMs);
  try {
    const events: RunEvent[] = [];
    const admission = new Admission({
      provider: "p",
      concurrency,
      quota,
      options: resolveAdmission(options),
      emit: (event) => void events.push(event),
    });
    let admitted = 0;
    const { signal } = new AbortController();
    await body({
      admission,
      events,
      admitted: () => admitted,
      ask: (count) => {
        for (let call = 0; call < count; call += 1)
          void admission.admit(100, signal).then(
            () => (admitted += 1),
            () => {},
          );
      },
      succeed: (rateLimit) => void admission.settle({ response: response(rateLimit), error: null }, 100),
      fail: (code, facts) => admission.settle({ response: null, error: failure(code, facts) }, 100),
      pass: async (milliseconds) => {
        nowMs += milliseconds;
        mock.timers.tick(milliseconds);
        await setImmediate();
      },
    });
  } finally {
    mock.timers.reset();
    mock.restoreAll();
  }
}

test("at most `concurrency` calls are in flight, first come, first served", async () => {
  await bench(3, async ({ ask, admitted, succeed, pass }) => {
    ask(5);
    await pass(0);
    assert.equal(admitted(), 3);
    succeed();
    await pass(0);
    assert.equal(admitted(), 4);
  });
});

test("a 429 closes the gate for all, for as long as the service asked", async () => {
  await bench(4, async ({ ask, admitted, fail, pass, events }) => {
    ask(1);
    await pass(0);
    fail("RATE_LIMITED", { status: 429, retryAfterMs: 700 });
    ask(3);
    await pass(699);
    assert.equal(admitted(), 1);
    await pass(1);
    assert.equal(admitted(), 3, "the limit has fallen to 0.7 × 4");
    assert.deepEqual(events, [
      { type: "gate-close", provider: "p", reason: "rate_limit", durationMs: 700 },
      { type: "concurrency-change", provider: "p", limit: 2 },
    ]);
  });
});

test("many 429s at once are told of once, and again when the wait becomes longer by a second", async () => {
  await bench(4, async ({ ask, fail, pass, events }) => {
    ask(4);
    await pass(0);
    for (const retryAfterMs of [700, 900, 1600, 2500]) fail("RATE_LIMITED", { status: 429, retryAfterMs });
    const waits = events.map((event) => (event.type === "gate-close" ? event.durationMs : 0)).filter((ms) => ms > 0);
    assert.deepEqual(waits, [700, 2500]);
  });
});

test("a 429 that does not say how long doubles its wait with each one in a row", async () => {
  await bench(1, async ({ ask, admitted, fail, pass }) => {
    ask(9);
    for (const waitMs of [1000, 2000, 4000]) {
      await pass(0);
      const before = admitted();
      fail("RATE_LIMITED");
      await pass(waitMs - 1);
      assert.equal(admitted(), before);
      await pass(1);
      assert.equal(admitted(), before + 1);
    }
  });
});

test("the limit falls by 0.7 at most once a second, and grows back by a tenth a round", async () => {
  await bench(100, async ({ ask, admitted, fail, succeed, pass }) => {
    ask(400);
    await pass(0);
    assert.equal(admitted(), 100);
    for (let call = 0; call < 8; call += 1) fail("SERVICE_UNAVAILABLE", { status: 503 });
    await pass(5);
    assert.equal(admitted(), 100, "8 failures at once: one step down, to 70");
    for (let call = 0; call < 92; call += 1) succeed();
    await pass(0);
    assert.ok(admitted() >= 178 && admitted() <= 182 + 22, `${admitted()}`);
  });
});

test("a 500 is no sign of overload: the limit stays", async () => {
  await bench(4, async ({ ask, admitted, fail, pass }) => {
    ask(8);
    await pass(0);
    for (let call = 0; call < 4; call += 1) fail("SERVICE_UNAVAILABLE", { status: 500 });
    await pass(0);
    assert.equal(admitted(), 8);
  });
});

test("after ten failures in a row single probes go, further and further apart, until one succeeds", async () => {
  await bench(12, async ({ admission, ask, admitted, fail, succeed, pass, events }) => {
    ask(100);
    await pass(0);
    for (let call = 0; call < 9; call += 1) fail("NETWORK_ERROR");
    assert.equal(admission.isDown, false);
    for (let call = 0; call < 12; call += 1) fail("NETWORK_ERROR"); // those in flight when it went down, too
    assert.equal(admission.isDown, true);
    await pass(0);
    const before = admitted();
    for (const waitMs of [5000, 10_000, 20_000, 30_000, 30_000]) {
      const soFar = admitted();
      await pass(waitMs - 1);
      assert.equal(admitted(), soFar);
      await pass(1);
      assert.equal(admitted(), soFar + 1, `one probe after ${waitMs} ms`);
      fail("NETWORK_ERROR");
    }
    await pass(30_000);
    succeed();
    await pass(0);
    assert.equal(admission.isDown, false);
    assert.equal(admitted(), before + 6 + 12);
    const told = events.map((event) => (event.type === "gate-close" ? event.reason : event.type));
    assert.deepEqual(told, ["outage", "concurrency-change", ...Array(5).fill("outage"), "concurrency-change"]);
  });
});

test("when no call has succeeded for the stall timeout the run ends, resumable", async () => {
  await bench(
    1,
    async ({ ask, fail, succeed, pass }) => {
      ask(20);
      await pass(0);
      succeed();
      await pass(900_000); // nothing was asked for a long time: that is no stall
      assert.equal(fail("NETWORK_ERROR"), null);
      await pass(59_999);
      assert.equal(fail("NETWORK_ERROR"), null);
      await pass(10_000);
      const error = fail("NETWORK_ERROR");
      assert.deepEqual([error?.code, error?.scope], ["STALLED", "run"]);
    },
    { options: { stallTimeoutMs: 60_000 } },
  );
});

test("the first success lowers the limit to what the service says is left", async () => {
  await bench(64, async ({ ask, admitted, succeed, pass }) => {
    ask(1);
    await pass(0);
    succeed({ remainingRequests: 20, remainingTokens: 550 });
    ask(64);
    await pass(0);
    assert.equal(admitted(), 1 + 5, "550 tokens are five calls of 100");
  });
});

test("calls are paced to a quota", async () => {
  await bench(
    1000,
    async ({ ask, admitted, pass }) => {
      ask(1000);
      for (let step = 0; step < 10_000; step += 1) await pass(1);
      assert.ok(admitted() >= 185 && admitted() <= 200, `${admitted()} calls in 10 s at 1,200 a minute`);
    },
    { quota: { rpm: 1200 } },
  );
});

test("a wait for the quota is told of where it is a second or longer", async () => {
  const waitsAt = async (tpm: number): Promise<readonly string[]> => {
    let told: readonly string[] = [];
    const tell = async ({ ask, pass, events }: Bench): Promise<void> => {
      ask(8); // of 100 tokens each
      for (let step = 0; step < 5000; step += 1) await pass(1);
      told = events.map((event) => (event.type === "gate-close" ? event.reason : event.type));
    };
    await bench(8, tell, { quota: { tpm } });
    return told;
  };
  assert.deepEqual(await waitsAt(12_000), []); // two a second
  assert.deepEqual(await waitsAt(3000), ["quota", "quota", "quota"]); // one in two seconds
});

test("an abort takes a waiting call out of the queue, and the others go on", async () => {
  await bench(1, async ({ admission, ask, admitted, succeed, pass }) => {
    ask(1);
    await pass(0);
    const stop = new AbortController();
    const waiting = admission.admit(100, stop.signal);
    ask(1);
    stop.abort(new Error("stopped"));
    await assert.rejects(waiting, { message: "stopped" });
    succeed();
    await pass(0);
    assert.equal(admitted(), 2);
  });
});

test("when the run has stopped, all who wait or sleep are refused at once, and whoever comes", async () => {
  await bench(1, async ({ admission, ask, pass }) => {
    const { signal } = new AbortController();
    const reason = new RunError("FORBIDDEN", "403");
    ask(1);
    await pass(0);
    const waiting = admission.admit(100, signal);
    const sleeping = admission.sleep(30_000, signal);
    admission.stop(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(sleeping, reason);
    await assert.rejects(admission.admit(1, signal), reason);
    await assert.rejects(admission.sleep(1, signal), reason);
  });
});
