import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../../src/contracts/events.ts";
import type { LLMResponse } from "../../../src/contracts/provider.ts";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { compose } from "../../../src/llm/call/compose.ts";
import { type Report, recorded, reported, usageOf } from "../../../src/llm/call/recorded.ts";
import { reportTo } from "../../../src/llm/call/report.ts";
import type { Attempt, RowAsk, RowCall, RowLayer } from "../../../src/llm/call/row-call.ts";
import { NotSentError } from "../../../src/llm/not-sent.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { MockProvider } from "../../../src/llm/providers/mock.ts";
import { Tally } from "../../../src/pipeline/tally.ts";
import { answer, rowCall } from "../../support/row-call.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

const { usage } = answer;

/** Both layers around what is sent, with all that they leave, in order. */
function way(
  send: RowAsk,
  report?: Report,
  time = new VirtualTime(),
): { ask: RowAsk; log: unknown[]; attempts: Attempt[] } {
  const log: unknown[] = [];
  const attempts: Attempt[] = [];
  const note: Report = async (attempt) => {
    log.push(attempt.error?.code ?? "answer");
    attempts.push(attempt);
    await report?.(attempt);
  };
  const emit = ({ type }: RunEvent): void => void log.push(type);
  return { ask: compose([reported(note, time), recorded({ report: note, emit, time })], send), log, attempts };
}

test("an attempt is noted with its latency, its cost and how many came before", async () => {
  const time = new VirtualTime();
  const slowly: RowAsk = async ({ signal }) => {
    await time.sleep(250, signal);
    return answer;
  };
  const { ask, attempts } = way(slowly, undefined, time);
  const prices = { inputPerMillion: 1_000_000, cachedInputPerMillion: 0, outputPerMillion: 2_000_000, currency: "EUR" };
  const call = rowCall({ provider: new MockProvider({ prices }) });
  for (let count = 0; count < 2; count += 1) {
    const asked = ask({ ...call });
    await time.pass(250);
    assert.equal(await asked, answer);
  }
  assert.deepEqual(
    attempts.map(({ retryCount, latencyMs, cost, response }) => [retryCount, latencyMs, cost, response]),
    [0, 1].map((retryCount) => [retryCount, 250, 12, answer]),
  );
  const ended = { model: "mock", promptHash: "abc", usage };
  assert.deepEqual(call.row.ended, [ended, ended]);
});

test("an attempt that failed is reported at once, and one with an answer when the layers beneath are done with it", async () => {
  const log: string[] = [];
  const time = new VirtualTime();
  const report: Report = async ({ error }) => void log.push(error === null ? "answer" : "failure");
  const emit = (): void => {};
  const saves = (next: RowAsk) => async (call: RowCall) => {
    const saved = await next(call);
    log.push("saved");
    return saved;
  };
  const again = (next: RowAsk) => async (call: RowCall) => {
    await assert.rejects(next(call));
    return await next(call);
  };
  let calls = 0;
  const send: RowAsk = async () => {
    calls += 1;
    if (calls === 1) throw new ProviderError("transient", "TIMEOUT", "late");
    return answer;
  };
  await compose([reported(report, time), saves, again, recorded({ report, emit, time })], send)(rowCall());
  assert.deepEqual(log, ["failure", "saved", "answer"]);
});

test("a payload log that takes for ever over a failed attempt does not stand between the next answer and the journal", async () => {
  const log: string[] = [];
  const logged = Promise.withResolvers<void>();
  const report: Report = async ({ error }) => {
    log.push(error === null ? "answer" : "failure");
    if (error !== null) await logged.promise;
  };
  const saved = Promise.withResolvers<void>();
  const saves = (next: RowAsk) => async (call: RowCall) => {
    const got = await next(call);
    saved.resolve();
    return got;
  };
  const again = (next: RowAsk) => async (call: RowCall) => {
    await assert.rejects(next(call), { code: "TIMEOUT" });
    return await next(call);
  };
  let calls = 0;
  const send: RowAsk = async () => {
    calls += 1;
    if (calls === 1) throw new ProviderError("transient", "TIMEOUT", "late");
    return answer;
  };
  const layers = [
    reported(report, new VirtualTime()),
    saves,
    again,
    recorded({ report, emit: () => {}, time: new VirtualTime() }),
  ];
  const asking = compose(layers, send)(rowCall());
  await saved.promise; // hangs where the answer waits for the log
  logged.reject(new RunError("PAYLOAD_LOG_FAILED", "disk full"));
  await assert.rejects(asking, { code: "PAYLOAD_LOG_FAILED" });
  assert.deepEqual(log, ["failure", "answer"]);
});

test("an answer is reported also where it could not be saved", async () => {
  const failure = new RunError("JOURNAL_FAILED", "disk full");
  const attempts: Attempt[] = [];
  const report: Report = async (attempt) => void attempts.push(attempt);
  const fails =
    (next: RowAsk) =>
    async (call: RowCall): Promise<LLMResponse> => {
      await next(call);
      throw failure;
    };
  const layers = [
    reported(report, new VirtualTime()),
    fails,
    recorded({ report, emit: () => {}, time: new VirtualTime() }),
  ];
  await assert.rejects(compose(layers, async () => answer)(rowCall()), failure);
  assert.equal(attempts.length, 1);
});

test("a re-ask is counted once, however many attempts it takes", async () => {
  const { ask, log } = way(async () => {
    throw new ProviderError("transient", "TIMEOUT", "late");
  });
  const call = rowCall({ issueCount: 2 });
  await assert.rejects(ask(call), { code: "TIMEOUT" });
  await assert.rejects(ask(call), { code: "TIMEOUT" });
  assert.deepEqual(log, ["re-ask", "call-start", "TIMEOUT", "call-start", "TIMEOUT"]);
});

test("what a provider throws is an error of its contract, and after an abort nobody's failure", async () => {
  const stop = new AbortController();
  let isStopping = false;
  const { ask, attempts } = way(async () => {
    if (isStopping) stop.abort();
    throw new TypeError("secret");
  });
  await assert.rejects(ask(rowCall({ signal: stop.signal })), { code: "PROVIDER_FAILED", scope: "row" });
  isStopping = true;
  await assert.rejects(ask(rowCall({ signal: stop.signal })), { code: "ABORTED" });
  assert.deepEqual(
    attempts.map(({ error }) => error?.code),
    ["PROVIDER_FAILED", "ABORTED"],
  );
});

test("a report is an event and a line in the payload log, and fails where the line can't be written", async () => {
  const events: RunEvent[] = [];
  const failure = new RunError("PAYLOAD_LOG_FAILED", "disk full");
  const emit = (event: RunEvent): void => void events.push(event);
  const full = { add: async () => await Promise.reject(failure) };
  await assert.rejects(way(async () => answer, reportTo(emit, full)).ask(rowCall()), failure);
  const [event] = events;
  assert.ok(event?.type === "call-end");
  const { latencyMs: _, startedAt, ...facts } = event;
  assert.ok(startedAt instanceof Date);
  assert.deepEqual(facts, {
    ...{
      type: "call-end",
      step: "s",
      pk: "1",
      model: "mock",
      promptHash: "abc",
      retryCount: 0,
      reasoningTokens: 1,
      isEstimated: false,
    },
    ...{ inputTokens: 10, cachedTokens: 4, outputTokens: 3, cost: null, errorCode: null },
    ...{ kind: "first", issueCodes: [], waitMs: 0 },
  });
});

test("a count of a failed attempt that is absurd counts as none: a cap on the cost stays one", () => {
  const failed = (given: object): ProviderError =>
    new ProviderError("row", "REFUSAL", "no", { usage: { ...usage, ...given } });
  assert.deepEqual(usageOf(failed({})), usage);
  const { inputTokens, outputTokens } = usageOf(failed({ inputTokens: Number.NaN, outputTokens: -5 }));
  assert.deepEqual([inputTokens, outputTokens], [0, 0]);
});

test("on abort, a call that never went is not counted: one that has not begun is silent, one that has ends uncounted", async () => {
  const stop = new AbortController();
  const { ask, log, attempts } = way(async () => {
    stop.abort();
    throw new NotSentError(stop.signal.reason);
  });
  const tally = new Tally(null);
  const events: RunEvent[] = [];
  const emit = (event: RunEvent): void => {
    events.push(event);
    tally.add(event);
  };
  const report: Report = async () => assert.fail("it is no attempt");
  const counted = compose([recorded({ report, emit, time: new VirtualTime() })], async () => {
    stop.abort();
    throw new NotSentError(stop.signal.reason);
  });
  const call = rowCall({ signal: stop.signal });
  await assert.rejects(counted(call), { code: "ABORTED" });
  const [, end] = events;
  assert.deepEqual(
    [
      events.length,
      end?.type,
      end?.type === "call-end" && end.wasSent,
      tally.figures(0).usage.calls,
      call.row.callCount,
    ],
    [2, "call-end", false, 0, 0],
  );
  await assert.rejects(ask(rowCall({ signal: stop.signal })), { code: "ABORTED" });
  assert.deepEqual([log, attempts], [[], []]);
});

test("an attempt is noted with the time that it had to wait: from the call's beginning, then from the end of the attempt before", async () => {
  const time = new VirtualTime();
  const waits: number[] = [];
  const report: Report = async ({ waitMs }) => void waits.push(waitMs);
  const waiting: RowLayer = (next) => async (call) => {
    await time.sleep(700, call.signal);
    try {
      return await next(call);
    } catch {
      await time.sleep(30, call.signal);
      return await next(call);
    }
  };
  let calls = 0;
  const send: RowAsk = async () => {
    calls += 1;
    await time.sleep(5000, new AbortController().signal);
    if (calls === 1) throw new ProviderError("transient", "TIMEOUT", "late");
    return answer;
  };
  const asked = compose([reported(report, time), waiting, recorded({ report, emit: () => {}, time })], send)(rowCall());
  await time.pass(60_000);
  await asked;
  assert.deepEqual(waits, [700, 30]);
});
