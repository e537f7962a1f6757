import assert from "node:assert/strict";
import { test } from "node:test";
import { JournalError } from "../../../src/errors/journal.ts";
import type { StoredAnswer } from "../../../src/contracts/journal.ts";
import { journaled, type JournaledOptions, rowAnswers, type StoredAnswers } from "../../../src/llm/call/journaled.ts";
import type { RowCall, RowCalls } from "../../../src/llm/call/row-call.ts";
import { Fingerprints } from "../../../src/llm/call/fingerprint.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMProvider, LLMResponse } from "../../../src/contracts/provider.ts";
import type { RunEvent } from "../../../src/contracts/events.ts";
import { answer as response, rowCall } from "../../support/row-call.ts";

const { usage } = response;
const stored: StoredAnswer = { text: "{}", finishReason: "stop", model: "mock", usage, runId: "earlier" };

/** The call with that text, and the fingerprint of its request. */
const callOf = (content: string): RowCall => {
  const { request, ...call } = rowCall();
  return rowCall({ ...call, request: { ...request, messages: [{ role: "user", content }] } });
};
const fingerprints = new Fingerprints();
const keyOf = (content: string): string => {
  const { provider, request } = callOf(content);
  return fingerprints.keysOf(provider, request)[0];
};

interface Found {
  readonly response: LLMResponse;
  /** Whether it was counted as an answer had without a call. */
  readonly reused: boolean;
  readonly row: RowCalls;
}

interface Fixture {
  /** Asks with that text; `ask` is what comes next on the way of the call. */
  readonly find: (content: string, ask: () => Promise<LLMResponse>, signal?: AbortSignal) => Promise<Found>;
  readonly forget: (content: string) => Promise<void>;
  readonly forgetRow: (found: Found) => Promise<void>;
  /** By the text that was asked with. */
  readonly stored: (content: string) => StoredAnswer | undefined;
  readonly count: () => number;
  /** What was done to the journal, in order. */
  readonly log: string[];
}

/** The layer over a journal in memory, which takes a turn of the event loop for everything. */
function fixture(
  options: Partial<JournaledOptions> & { known?: Readonly<Record<string, StoredAnswer>> } = {},
): Fixture {
  const { known = {}, ...rest } = options;
  const stock = new Map(Object.entries(known).map(([content, answer]) => [keyOf(content), answer]));
  const log: string[] = [];
  const turn = async (what: string): Promise<void> => {
    await new Promise(setImmediate);
    log.push(what);
  };
  const answers: StoredAnswers = {
    find: async (fingerprint) => {
      await turn("find");
      return stock.get(fingerprint);
    },
    save: async (fingerprint, answer) => {
      await turn("save");
      stock.set(fingerprint, answer);
    },
    forget: async (gone) => {
      await turn("forget");
      for (const one of gone) stock.delete(one);
    },
  };
  const events: RunEvent[] = [];
  const layer = journaled({ answers, runId: "now", reuseEarlier: true, ...rest }, (event) => events.push(event));
  let next = async (): Promise<LLMResponse> => await Promise.reject(new Error("not set"));
  const way = layer(async () => await next());
  return {
    find: async (content, ask, signal = new AbortController().signal) => {
      next = ask;
      const call = { ...callOf(content), signal };
      const answer = await way(call);
      assert.deepEqual(call.row.fingerprints, [keyOf(content)]);
      return { response: answer, reused: call.row.ended.length === 1, row: call.row };
    },
    forgetRow: async ({ row }) => await rowAnswers({ answers, runId: "now", reuseEarlier: true, ...rest }).forget(row),
    forget: async (content) => await answers.forget([keyOf(content)]),
    stored: (content) => stock.get(keyOf(content)),
    count: () => stock.size,
    log,
  };
}

/** A model that answers, or fails, as it is told; counts how often it is asked. */
function model(...outcomes: (LLMResponse | Error)[]): { ask: () => Promise<LLMResponse>; count: () => number } {
  let asked = 0;
  const ask = async (): Promise<LLMResponse> => {
    const outcome = outcomes[Math.min(asked, outcomes.length - 1)];
    asked += 1;
    await new Promise(setImmediate);
    if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error("asked without an outcome");
    return outcome;
  };
  return { ask, count: () => asked };
}

const transient = (): ProviderError => new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500 });
const refusal = (): ProviderError => {
  const facts = { status: 400, requestId: "r9", detail: "the filter: violence", hint: "h" };
  return new ProviderError("row", "CONTENT_FILTER", "the filter refused it", facts);
};

test("an answer that the journal has is given without asking, with what it had cost", async () => {
  const { find } = fixture({ known: { a: stored } });
  const { ask, count } = model(response);
  const found = await find("a", ask);
  assert.deepEqual([found.reused, found.response.text, found.response.usage, count()], [true, "{}", usage, 0]);
});

test("an answer that it has not is asked for, and kept before it is given", async () => {
  const { find, stored: saved, log } = fixture();
  const { ask, count } = model(response);
  const found = await find("a", ask);
  assert.deepEqual([found.response, found.reused, count()], [response, false, 1]);
  assert.deepEqual(log, ["find", "save"]);
  assert.deepEqual(saved("a"), { ...stored, runId: "now" });
  assert.equal((await find("a", ask)).reused, true);
  assert.equal(count(), 1);
});

test("an answer that comes after the run was aborted is kept: it is paid for", async () => {
  const { find, stored: saved } = fixture();
  const stop = new AbortController();
  const { ask } = model(response);
  const late = async (): Promise<LLMResponse> => {
    stop.abort();
    return await ask();
  };
  await find("a", late, stop.signal);
  assert.deepEqual(saved("a"), { ...stored, runId: "now" });
});

test("equal requests in flight are asked once, and different ones each", async () => {
  const { find } = fixture();
  const { ask, count } = model(response);
  const found = await Promise.all(["a", "a", "b", "a"].map(async (one) => await find(one, ask)));
  assert.deepEqual(
    found.map(({ reused }) => reused),
    [false, true, false, true],
  );
  assert.equal(count(), 2);
});

test("where earlier answers are not wanted, those of this run are given all the same, and take their place", async () => {
  const { find, stored: saved } = fixture({ known: { a: stored }, reuseEarlier: false });
  const { ask, count } = model({ ...response, text: '{"new":1}' });
  assert.deepEqual([(await find("a", ask)).reused, (await find("a", ask)).reused], [false, true]);
  assert.equal(count(), 1);
  assert.deepEqual([saved("a")?.text, saved("a")?.runId], ['{"new":1}', "now"]);
});

test("a run that asks anew forgets its own answers alone: earlier ones that it has replaced have their place again", async () => {
  const given = { known: { a: stored, b: stored }, reuseEarlier: false };
  const { find, forgetRow, stored: saved } = fixture(given);
  const { ask } = model({ ...response, text: '{"new":1}' });
  const [lead, twin] = await Promise.all([find("a", ask), find("a", ask)]);
  assert.deepEqual([lead.reused, twin.reused], [false, true]);
  await forgetRow(twin);
  assert.deepEqual(saved("a"), stored);
  await assert.rejects(find("b", model(refusal()).ask));
  const failed = await find("c", ask); // no earlier run has asked that
  await forgetRow(failed);
  assert.deepEqual([saved("b"), saved("c")], [stored, undefined]);
});

test("an answer that was cut off is kept as that; a refusal and a filtered answer are not kept", async () => {
  const { find, stored: saved, count: savedCount } = fixture();
  for (const finishReason of ["length", "refusal", "content_filter"] as const) {
    const { ask } = model({ ...response, finishReason });
    assert.equal((await find(finishReason, ask)).response.finishReason, finishReason);
  }
  assert.deepEqual([savedCount(), saved("length")?.finishReason], [1, "length"]);
  assert.equal((await find("length", model(response).ask)).response.finishReason, "length");
});

test("a refusal is shared by those who wait, and each has an error of its own", async () => {
  const { find, count: savedCount } = fixture();
  const { ask, count } = model(refusal());
  const ended = await Promise.allSettled([1, 2, 3].map(async () => await find("a", ask)));
  const errors = ended.map((one) => (one.status === "rejected" ? one.reason : undefined));
  assert.equal(new Set(errors).size, 3);
  for (const error of errors) {
    assert.ok(error instanceof ProviderError);
    const { code, status, requestId, detail, message, facts } = error;
    const wanted = refusal();
    assert.deepEqual([code, status, requestId], ["CONTENT_FILTER", 400, "r9"]);
    assert.deepEqual([detail, message, facts], [wanted.detail, wanted.message, wanted.facts]);
  }
  assert.deepEqual([count(), savedCount()], [1, 0]);
});

test("an answer that the filter held back is shared by those who wait, too, and not kept", async () => {
  const { find, count: savedCount } = fixture();
  const { ask, count } = model({ ...response, text: "", finishReason: "content_filter" });
  const found = await Promise.all([1, 2].map(async () => await find("a", ask)));
  assert.deepEqual(
    found.map((one) => one.response.finishReason),
    ["content_filter", "content_filter"],
  );
  assert.deepEqual([count(), savedCount()], [1, 0]);
});

test("after a failure that may pass each of those who wait asks for itself; it is never kept", async () => {
  const { find, stored: saved } = fixture();
  const { ask, count } = model(transient(), response);
  const ended = await Promise.allSettled([1, 2, 3].map(async () => await find("a", ask)));
  assert.deepEqual(
    ended.map(({ status }) => status),
    ["rejected", "fulfilled", "fulfilled"],
  );
  assert.equal(count(), 3);
  assert.equal(saved("a")?.runId, "now");
  const failing = model(transient());
  await assert.rejects(find("b", failing.ask), { code: "SERVICE_UNAVAILABLE" });
  await assert.rejects(find("b", failing.ask), { code: "SERVICE_UNAVAILABLE" });
  assert.deepEqual([failing.count(), saved("b") !== undefined], [2, false]);
});

test("what is forgotten is asked for anew", async () => {
  const { find, forget } = fixture({ known: { a: stored, b: stored } });
  const { ask, count } = model(response);
  await forget("a");
  assert.deepEqual([(await find("a", ask)).reused, (await find("b", ask)).reused], [false, true]);
  assert.equal(count(), 1);
});

test("an answer that can't be kept is not given: the journal's error is, to each", async () => {
  const failure = new JournalError("journal.db", "can't be written");
  const answers: StoredAnswers = {
    find: async () => undefined,
    save: async () => await Promise.reject(failure),
    forget: async () => {},
  };
  const { find } = fixture({ answers });
  const { ask } = model(response);
  const ended = await Promise.allSettled([1, 2].map(async () => await find("a", ask)));
  assert.deepEqual(
    ended.map((one) => one.status === "rejected" && one.reason),
    [failure, failure],
  );
});

test("an answer without a call is counted with what the call that paid for it had cost, and is an event", async () => {
  const events: RunEvent[] = [];
  const answers: StoredAnswers = { find: async () => stored, save: async () => {}, forget: async () => {} };
  const layer = journaled({ answers, runId: "now", reuseEarlier: true }, (event) => events.push(event));
  const call = rowCall();
  await layer(async () => assert.fail("no call is made"))(call);
  assert.equal(call.row.callCount, 1);
  assert.deepEqual(call.row.ended, [{ model: "mock", promptHash: "abc", usage }]);
  const tokens = { inputTokens: 10, cachedTokens: 4, outputTokens: 3 };
  const more = { promptHash: "abc", reasoningTokens: 1 };
  assert.deepEqual(events, [
    { type: "answer-reuse", step: "s", pk: "1", model: "mock", ...tokens, ...more, cost: null },
  ]);
});

test("whose money an answer was is told: an earlier run's, or that of another row of this run, finished or in flight", async () => {
  const reuseOf = async (runId: string, calls: readonly RowCall[]) => {
    const events: RunEvent[] = [];
    const answers: StoredAnswers = {
      find: async (key) => await Promise.resolve(key === keyOf("known") ? { ...stored, runId } : undefined),
      save: async () => {},
      forget: async () => {},
    };
    const layer = journaled({ answers, runId: "now", reuseEarlier: true }, (event) => events.push(event));
    await Promise.all(calls.map(async (call) => await layer(async () => await Promise.resolve(response))(call)));
    return events.map((event) => event.type === "answer-reuse" && event.isOfThisRun);
  };
  assert.deepEqual(await reuseOf("earlier", [callOf("known")]), [undefined]);
  assert.deepEqual(await reuseOf("now", [callOf("known")]), [true]);
  assert.deepEqual(await reuseOf("earlier", [callOf("new"), callOf("new")]), [true], "one of the two asks");
});

test("an answer under an older key is given without asking; both keys are noted, so that it can be forgotten", async () => {
  const provider: LLMProvider = { ...rowCall().provider, fingerprint: () => "f", omits: ["temperature"] };
  const request = { ...rowCall().request, temperature: 0 };
  const keys = fingerprints.keysOf(provider, request);
  assert.equal(keys.length, 2);
  const looked: string[] = [];
  const answers: StoredAnswers = {
    find: async (key) => {
      looked.push(key);
      return await Promise.resolve(key === keys[1] ? stored : undefined);
    },
    save: async () => assert.fail("it is stored already"),
    forget: async () => {},
  };
  const layer = journaled({ answers, runId: "now", reuseEarlier: true }, () => {});
  const call = rowCall({ provider, request });
  const found = await layer(async () => assert.fail("the model was asked"))(call);
  assert.equal(found.text, stored.text);
  assert.deepEqual(looked, keys);
  assert.deepEqual(call.row.fingerprints, keys);
});

test("in a run that asks anew, only an answer that was found under an older key is read as an older version's", async () => {
  const provider: LLMProvider = { ...rowCall().provider, fingerprint: () => "f", omits: ["temperature"] };
  const request = { ...rowCall().request, temperature: 0 };
  const [, older] = fingerprints.keysOf(provider, request);
  for (const runId of ["earlier", "now"]) {
    const answers: StoredAnswers = {
      find: async (key) => await Promise.resolve(key === older ? { ...stored, runId } : undefined),
      save: async () => {},
      forget: async () => {},
    };
    const layer = journaled({ answers, runId: "now", reuseEarlier: false }, () => {});
    const call = rowCall({ provider, request });
    await layer(async () => await Promise.resolve(response))(call);
    assert.equal(call.row.isFormer, runId === "now");
  }
});

test("a new answer is saved under the new key alone", async () => {
  const provider: LLMProvider = { ...rowCall().provider, fingerprint: () => "f", omits: ["temperature"] };
  const request = { ...rowCall().request, temperature: 0 };
  const saved: string[] = [];
  const answers: StoredAnswers = {
    find: async () => await Promise.resolve(undefined),
    save: async (key) => void (await Promise.resolve(saved.push(key))),
    forget: async () => {},
  };
  const layer = journaled({ answers, runId: "now", reuseEarlier: true }, () => {});
  await layer(async () => await Promise.resolve(response))(rowCall({ provider, request }));
  assert.deepEqual(saved, [fingerprints.keysOf(provider, request)[0]]);
});
