import assert from "node:assert/strict";
import { test } from "node:test";
import { JournalError } from "../../../src/errors/journal.ts";
import type { StoredAnswer } from "../../../src/contracts/journal.ts";
import { AnswerCache, type AnswerCacheOptions } from "../../../src/llm/call/answer-cache.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMResponse } from "../../../src/contracts/provider.ts";

const usage = { inputTokens: 10, cachedTokens: 4, outputTokens: 3, reasoningTokens: 1 };
const response: LLMResponse = { text: "{}", finishReason: "stop", model: "mock", usage, requestId: "r1" };
const stored: StoredAnswer = { text: "{}", finishReason: "stop", model: "mock", usage, runId: "earlier" };

interface Fixture {
  readonly cache: AnswerCache;
  readonly answers: Map<string, StoredAnswer>;
  /** What was done to the journal, in order. */
  readonly log: string[];
}

/** A cache over a journal in memory, which takes a turn of the event loop for everything. */
function fixture(
  options: Partial<AnswerCacheOptions> & { known?: Readonly<Record<string, StoredAnswer>> } = {},
): Fixture {
  const { known = {}, ...rest } = options;
  const answers = new Map(Object.entries(known));
  const log: string[] = [];
  const turn = async (what: string): Promise<void> => {
    await new Promise(setImmediate);
    log.push(what);
  };
  const journal = {
    answer: async (fingerprint: string) => {
      await turn(`look ${fingerprint}`);
      return answers.get(fingerprint);
    },
    keepAnswer: async (fingerprint: string, answer: StoredAnswer) => {
      await turn(`keep ${fingerprint}`);
      answers.set(fingerprint, answer);
    },
    forgetAnswers: async (fingerprints: readonly string[]) => {
      await turn(`forget ${fingerprints.join(" ")}`);
      for (const one of fingerprints) answers.delete(one);
    },
  };
  // The cache uses nothing else of a journal.
  const cache = new AnswerCache({ journal: journal as never, runId: "now", reuseEarlier: true, ...rest });
  return { cache, answers, log };
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
  const facts = { status: 400, requestId: "r9", detail: "the filter: violence" };
  return new ProviderError("row", "CONTENT_FILTER", "the filter refused it", facts);
};

test("an answer that the journal has is given without asking, with what it had cost", async () => {
  const { cache } = fixture({ known: { a: stored } });
  const { ask, count } = model(response);
  const found = await cache.find("a", ask);
  assert.deepEqual([found.reused, found.response.text, found.response.usage, count()], [true, "{}", usage, 0]);
});

test("an answer that it has not is asked for, and kept before it is given", async () => {
  const { cache, answers, log } = fixture();
  const { ask, count } = model(response);
  const found = await cache.find("a", ask);
  assert.deepEqual([found, count()], [{ response, reused: false }, 1]);
  assert.deepEqual(log, ["look a", "keep a"]);
  assert.deepEqual(answers.get("a"), { ...stored, runId: "now" });
  assert.equal((await cache.find("a", ask)).reused, true);
  assert.equal(count(), 1);
});

test("equal requests in flight are asked once, and different ones each", async () => {
  const { cache } = fixture();
  const { ask, count } = model(response);
  const found = await Promise.all(["a", "a", "b", "a"].map(async (one) => await cache.find(one, ask)));
  assert.deepEqual(
    found.map(({ reused }) => reused),
    [false, true, false, true],
  );
  assert.equal(count(), 2);
});

test("where earlier answers are not wanted, those of this run are given all the same, and take their place", async () => {
  const { cache, answers } = fixture({ known: { a: stored }, reuseEarlier: false });
  const { ask, count } = model({ ...response, text: '{"new":1}' });
  assert.deepEqual([(await cache.find("a", ask)).reused, (await cache.find("a", ask)).reused], [false, true]);
  assert.equal(count(), 1);
  assert.deepEqual([answers.get("a")?.text, answers.get("a")?.runId], ['{"new":1}', "now"]);
});

test("an answer that was cut off is kept as that; a refusal and a filtered answer are not kept", async () => {
  const { cache, answers } = fixture();
  for (const finishReason of ["length", "refusal", "content_filter"] as const) {
    const { ask } = model({ ...response, finishReason });
    assert.equal((await cache.find(finishReason, ask)).response.finishReason, finishReason);
  }
  assert.deepEqual([...answers.keys()], ["length"]);
  assert.equal((await cache.find("length", model(response).ask)).response.finishReason, "length");
});

test("a refusal is shared by those who wait, and each has an error of its own", async () => {
  const { cache, answers } = fixture();
  const { ask, count } = model(refusal());
  const ended = await Promise.allSettled([1, 2, 3].map(async () => await cache.find("a", ask)));
  const errors = ended.map((one) => (one.status === "rejected" ? one.reason : undefined));
  assert.equal(new Set(errors).size, 3);
  for (const error of errors) {
    assert.ok(error instanceof ProviderError);
    const { code, status, requestId, detail, message } = error;
    const wanted = ["CONTENT_FILTER", 400, "r9", "the filter: violence", "the filter refused it"];
    assert.deepEqual([code, status, requestId, detail, message], wanted);
  }
  assert.deepEqual([count(), answers.size], [1, 0]);
});

test("an answer that the filter held back is shared by those who wait, too, and not kept", async () => {
  const { cache, answers } = fixture();
  const { ask, count } = model({ ...response, text: "", finishReason: "content_filter" });
  const found = await Promise.all([1, 2].map(async () => await cache.find("a", ask)));
  assert.deepEqual(
    found.map((one) => one.response.finishReason),
    ["content_filter", "content_filter"],
  );
  assert.deepEqual([count(), answers.size], [1, 0]);
});

test("after a failure that may pass each of those who wait asks for itself; it is never kept", async () => {
  const { cache, answers } = fixture();
  const { ask, count } = model(transient(), response);
  const ended = await Promise.allSettled([1, 2, 3].map(async () => await cache.find("a", ask)));
  assert.deepEqual(
    ended.map(({ status }) => status),
    ["rejected", "fulfilled", "fulfilled"],
  );
  assert.equal(count(), 3);
  assert.equal(answers.get("a")?.runId, "now");
  const failing = model(transient());
  await assert.rejects(cache.find("b", failing.ask), { code: "SERVICE_UNAVAILABLE" });
  await assert.rejects(cache.find("b", failing.ask), { code: "SERVICE_UNAVAILABLE" });
  assert.deepEqual([failing.count(), answers.has("b")], [2, false]);
});

test("what is forgotten is asked for anew", async () => {
  const { cache } = fixture({ known: { a: stored, b: stored } });
  const { ask, count } = model(response);
  await cache.forget(["a"]);
  assert.deepEqual([(await cache.find("a", ask)).reused, (await cache.find("b", ask)).reused], [false, true]);
  assert.equal(count(), 1);
});

test("an answer that can't be kept is not given: the journal's error is, to each", async () => {
  const failure = new JournalError("journal.db", "can't be written");
  const journal = {
    answer: async () => undefined,
    keepAnswer: async () => await Promise.reject(failure),
  };
  const cache = new AnswerCache({ journal: journal as never, runId: "now", reuseEarlier: true }); // nothing else is used
  const { ask } = model(response);
  const ended = await Promise.allSettled([1, 2].map(async () => await cache.find("a", ask)));
  assert.deepEqual(
    ended.map((one) => one.status === "rejected" && one.reason),
    [failure, failure],
  );
});
