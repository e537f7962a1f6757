import assert from "node:assert/strict";
import { test } from "node:test";
import { RunError, type RunEvent } from "../../../src/index.ts";
import { Admission, type Pass, type Verdict } from "../../../src/llm/limits/admission.ts";
import { defaultLimits } from "../../../src/llm/limits/default-limits.ts";
import type { Limiter } from "../../../src/llm/limits/limiter.ts";
import { type AdmissionOptions, resolveAdmission } from "../../../src/llm/limits/options.ts";
import { ProviderError, type ProviderErrorFacts } from "../../../src/llm/provider-error.ts";
import type { LLMResponse, Quota } from "../../../src/contracts/provider.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
const response = (): LLMResponse => ({ text: "{}", finishReason: "stop", model: "m", usage });
const failure = (code: string, facts: ProviderErrorFacts = {}) => new ProviderError("transient", code, "failed", facts);

interface Bench {
  readonly admission: Admission;
  readonly events: RunEvent[];
  /** How many of those who asked are in. */
  readonly admitted: () => number;
  readonly ask: (count: number) => void;
  /** Ends the call that is longest in flight. */
  readonly succeed: () => Verdict;
  readonly fail: (code: string, facts?: ProviderErrorFacts) => Verdict;
  readonly endWith: (error: unknown) => Verdict;
  readonly pass: (milliseconds: number) => Promise<void>;
  readonly time: VirtualTime;
}

interface BenchOptions {
  readonly quota?: Quota;
  readonly options?: AdmissionOptions;
  /** @default those of a provider */
  readonly limits?: readonly Limiter[];
}

/** An admission, under a clock that stands still but for `pass`. */
async function bench(
  concurrency: number,
  body: (bench: Bench) => Promise<void>,
  { quota = {}, options = {}, limits }: BenchOptions = {},
): Promise<void> {
  const events: RunEvent[] = [];
  const time = new VirtualTime();
  const admission = new Admission({
    provider: "p",
    concurrency,
    limits:
      limits ??
      defaultLimits({
        concurrency,
        quota,
        timeoutMs: 60_000,
        options: resolveAdmission(options),
        random: time.random,
      }),
    time,
    emit: (event) => void events.push(event),
  });
  let admitted = 0;
  const inFlight: Pass[] = [];
  const next = (): Pass => inFlight.shift() ?? assert.fail("no call is in flight");
  const { signal } = new AbortController();
  const ask = (): void =>
    void admission.enter({ tokens: 100 }, signal).then(
      (pass) => {
        admitted += 1;
        inFlight.push(pass);
      },
      () => {},
    );
  await body({
    admission,
    events,
    admitted: () => admitted,
    ask: (count) => {
      for (let call = 0; call < count; call += 1) ask();
    },
    succeed: () => next().end({ answer: response() }),
    fail: (code, facts) => next().end({ error: failure(code, facts) }),
    endWith: (error) => next().end({ error }),
    pass: async (milliseconds) => await time.pass(milliseconds),
    time,
  });
}

const isCounted = (verdict: Verdict): boolean => verdict.type === "again" && verdict.isCounted;

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

test("a 429 delays its own call only, for as long as the service asked, and uses up no retry", async () => {
  await bench(4, async ({ ask, admitted, fail, pass, events }) => {
    ask(9);
    await pass(0);
    for (const [retryAfterMs, afterMs] of [
      [700, 700],
      [0, 100],
      [3_600_000, 600_000],
    ] as const) {
      const verdict = fail("RATE_LIMITED", { status: 429, retryAfterMs });
      assert.ok(verdict.type === "again" && !verdict.isCounted);
      assert.equal(verdict.afterMs, afterMs);
    }
    await pass(0);
    assert.equal(admitted(), 7, "the others go on");
    assert.deepEqual(events, []);
  });
});

test("where most calls are rejected the gate closes for all, and one goes as a probe when the wait is over", async () => {
  await bench(8, async ({ ask, admitted, fail, succeed, pass, events }) => {
    ask(100);
    await pass(0);
    assert.equal(admitted(), 8);
    await pass(10);
    for (let call = 0; call < 8; call += 1) fail("RATE_LIMITED", { status: 429, retryAfterMs: 5000 });
    await pass(0);
    const before = admitted();
    for (let call = 8; call < before; call += 1) fail("RATE_LIMITED", { status: 429, retryAfterMs: 5000 });
    await pass(4999);
    assert.equal(admitted(), before, "the gate is closed");
    await pass(1);
    assert.equal(admitted(), before + 1, "one probe");
    succeed();
    await pass(60_000);
    assert.ok(admitted() > before + 1, "its answer opens the gate");
    const [told, ...others] = events;
    assert.deepEqual(told, { type: "gate-close", provider: "p", reason: "rate_limit", durationMs: 5000 });
    assert.ok(!others.some((event) => event.type === "gate-close" && event.reason === "rate_limit"));
  });
});

/** A limiter that closes for as long as each failure says, or opens. */
function told(): Limiter {
  let closedUntilMs = 0;
  return {
    waitMs: (_, nowMs) => Math.max(0, closedUntilMs - nowMs),
    started: () => {},
    ended: (outcome, _, nowMs) => {
      const durationMs = outcome.type === "failure" ? (outcome.retryAfterMs ?? 0) : 0;
      closedUntilMs = nowMs + durationMs;
      return durationMs > 0 ? [{ type: "pause", reason: "rate_limit", durationMs }] : [];
    },
  };
}

test("many waits at once are told of once, and again when the wait becomes longer by a second", async () => {
  const body = async ({ ask, fail, pass, events }: Bench): Promise<void> => {
    ask(4);
    await pass(0);
    for (const retryAfterMs of [700, 900, 1600, 2500]) fail("RATE_LIMITED", { status: 429, retryAfterMs });
    const waits = events.map((event) => (event.type === "gate-close" ? event.durationMs : 0));
    assert.deepEqual(waits, [700, 2500]);
  };
  await bench(4, body, { limits: [told()] });
});

test("where a fifth of the newest calls is turned away as overload the limit falls by 0.7, and answers let it grow back", async () => {
  await bench(8, async ({ ask, admitted, fail, succeed, pass, events }) => {
    ask(400);
    await pass(0);
    assert.equal(admitted(), 8);
    for (let call = 0; call < 8; call += 1) fail("SERVICE_UNAVAILABLE", { status: 503 });
    await pass(1000);
    const inFlight = admitted() - 8;
    assert.ok(inFlight >= 1 && inFlight <= 8, `${inFlight}: one step down for failures that come at once`);
    for (let call = 0; call < 60; call += 1) {
      await pass(100);
      succeed();
    }
    const limits = events.flatMap((event) => (event.type === "concurrency-change" ? [event.limit] : []));
    assert.deepEqual(limits, [5, 6, 7, 8]);
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
  await bench(12, async ({ ask, admitted, fail, succeed, pass, events }) => {
    ask(100);
    await pass(0);
    for (let call = 0; call < 9; call += 1) {
      assert.ok(isCounted(fail("NETWORK_ERROR")));
      await pass(0);
    }
    for (let call = 0; call < 8; call += 1) assert.ok(!isCounted(fail("NETWORK_ERROR"))); // those in flight, too
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
    assert.equal(admitted(), before + 6 + 9, "eight, and one more for the answer");
    assert.ok(isCounted(fail("NETWORK_ERROR")), "it is up again");
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
      assert.equal(fail("NETWORK_ERROR").type, "again");
      await pass(59_999);
      assert.equal(fail("NETWORK_ERROR").type, "again");
      await pass(10_000);
      const verdict = fail("NETWORK_ERROR");
      assert.ok(verdict.type === "fail" && verdict.error instanceof RunError);
      assert.equal(verdict.error.code, "STALLED");
    },
    { options: { stallTimeoutMs: 60_000 } },
  );
});

test("calls are paced to a quota", async () => {
  await bench(
    1000,
    async ({ ask, admitted, succeed, pass }) => {
      ask(1000);
      for (let step = 0, answered = 0; step < 10_000; step += 1) {
        await pass(1);
        for (; answered < admitted(); answered += 1) succeed();
      }
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
    const waiting = admission.enter({ tokens: 100 }, stop.signal);
    ask(1);
    stop.abort(new Error("stopped"));
    await assert.rejects(waiting, { message: "stopped" });
    succeed();
    await pass(0);
    assert.equal(admitted(), 2);
  });
});

test("when the run has stopped, all who wait or sleep are turned away at once, and whoever comes", async () => {
  await bench(1, async ({ admission, ask, pass }) => {
    const { signal } = new AbortController();
    const reason = new RunError("FORBIDDEN", "403");
    ask(1);
    await pass(0);
    const waiting = admission.enter({ tokens: 100 }, signal);
    const sleeping = admission.sleep(30_000, signal);
    admission.stop(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(sleeping, reason);
    await assert.rejects(admission.enter({ tokens: 1 }, signal), reason);
    await assert.rejects(admission.sleep(1, signal), reason);
  });
});

test("who waits longest goes first, and the last one to leave lets no timer run", async () => {
  const body = async ({ admission, ask, pass, fail, time }: Bench): Promise<void> => {
    ask(1);
    await pass(0);
    fail("NETWORK_ERROR");
    const stop = new AbortController();
    const order: number[] = [];
    const entering = [1, 2].map(async (number) => {
      const { end } = await admission.enter({ tokens: 1 }, stop.signal);
      order.push(number);
      end({ answer: response() });
    });
    await pass(59_999);
    assert.deepEqual(order, []);
    await pass(1);
    await Promise.all(entering);
    assert.deepEqual(order, [1, 2]);
    ask(1);
    await pass(0);
    fail("NETWORK_ERROR");
    const waiting = admission.enter({ tokens: 1 }, stop.signal);
    assert.equal(time.sleeperCount, 2, "for the end of the wait, and for the stall timeout");
    stop.abort(new Error("stopped"));
    await assert.rejects(waiting, { message: "stopped" });
    assert.equal(time.sleeperCount, 0);
  };
  await bench(1, body, { options: { outageFailures: 1, probeDelayMs: [60_000, 60_000] } });
});

test("the pass says what becomes of a call", async () => {
  await bench(8, async ({ ask, pass, succeed, fail, endWith }) => {
    ask(8);
    await pass(0);
    assert.deepEqual(succeed(), { type: "done" });
    const { type, ...again } = fail("NETWORK_ERROR");
    assert.equal(type, "again");
    assert.ok("isCounted" in again && again.isCounted && again.error instanceof ProviderError);
    assert.ok(!isCounted(fail("RATE_LIMITED", { retryAfterMs: 1 })), "a 429 uses up no retry");
    for (const error of [new ProviderError("row", "CONTENT_FILTER", "no"), new Error("bug")]) {
      assert.deepEqual(endWith(error), { type: "fail", error });
    }
  });
});

test("a failure that ends the run turns everybody away before the next one gets in", async () => {
  await bench(1, async ({ admission, ask, pass, endWith, admitted }) => {
    ask(1);
    await pass(0);
    const error = new ProviderError("run", "AUTHENTICATION_FAILED", "401");
    const waiting = admission.enter({ tokens: 1 }, new AbortController().signal);
    ask(1);
    assert.deepEqual(endWith(error), { type: "fail", error });
    await assert.rejects(waiting, error);
    await pass(0);
    assert.equal(admitted(), 1);
  });
});

test("a failure of the row's own is no sign of the service's state", async () => {
  await bench(2, async ({ ask, pass, endWith, events, admitted }) => {
    ask(30);
    for (let call = 0; call < 20; call += 1) {
      await pass(0);
      endWith(new ProviderError("row", "CONTENT_FILTER", "no", { status: 503, retryAfterMs: 1000 }));
    }
    await pass(0);
    assert.deepEqual(events, []);
    assert.equal(admitted(), 22);
  });
});
