import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../../src/contracts/events.ts";
import { LLMEtlError, RunError } from "../../../src/errors/llm-etl-error.ts";
import type { Conversation, Prompt } from "../../../src/contracts/conversation.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../../../src/contracts/provider.ts";
import type { Prices } from "../../../src/contracts/prices.ts";
import { clientWith } from "../../support/llm-client.ts";

const prompt: Prompt = {
  messages: [{ role: "user", content: "secret row" }],
  schema: { name: "out", json: { type: "object" } },
  temperature: 0,
  maxOutputTokens: 100,
  promptHash: "abc",
};
const usage = { inputTokens: 10, cachedTokens: 4, outputTokens: 3, reasoningTokens: 0 };
const answer = (finishReason: LLMResponse["finishReason"], text = "{}"): LLMResponse => ({
  ...{ text, finishReason, model: "gpt", usage, requestId: "req" },
});

interface Talk {
  readonly conversation: Conversation;
  readonly requests: LLMRequest[];
  readonly events: RunEvent[];
}

/** A conversation with a provider that answers so, one call after the other. */
function talk(
  answers: readonly (LLMResponse | (() => never))[],
  signal: AbortSignal = new AbortController().signal,
  prices?: Prices,
): Talk {
  const requests: LLMRequest[] = [];
  const events: RunEvent[] = [];
  const provider: LLMProvider = {
    name: "scripted",
    prices,
    fingerprint: () => "scripted",
    complete: async (request) => {
      requests.push(request);
      const next = answers[requests.length - 1];
      if (next === undefined) throw new Error("no answer is left");
      return typeof next === "function" ? next() : next;
    },
  };
  const client = clientWith({ pipeline: "visits", emit: (event) => events.push(event) });
  return { conversation: client.conversation({ step: "classify", pk: "1", provider, signal }), requests, events };
}

async function failureOf(promise: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ProviderError, String(error));
  assert.ok(!error.message.includes("secret"));
  return error;
}

test("a request is the prompt with a cache key of pipeline, step and prompt", async () => {
  const { conversation, requests } = talk([answer("stop", "yes")]);
  assert.equal((await conversation.ask(prompt, 0)).text, "yes");
  const { promptHash: _, ...rest } = prompt;
  assert.deepEqual(requests, [{ ...rest, cacheKey: "visits.classify.abc" }]);
});

test("before the first answer there is no lineage, and then it adds up over every call", async () => {
  const { conversation } = talk([answer("stop"), answer("stop")]);
  assert.equal(conversation.lineage, null);
  assert.equal(conversation.retryCount, 0);
  await conversation.ask(prompt, 0);
  const once = { model: "gpt", promptHash: "abc", inputTokens: 10, cachedTokens: 4, outputTokens: 3, calls: 1 };
  assert.deepEqual(conversation.lineage, once);
  assert.equal(conversation.retryCount, 0);
  await conversation.ask(prompt, 2);
  assert.deepEqual(conversation.lineage, { ...once, inputTokens: 20, cachedTokens: 8, outputTokens: 6, calls: 2 });
  assert.equal(conversation.retryCount, 1);
});

test("each call is an event, and a re-ask one before it, without content", async () => {
  const { conversation, events } = talk([answer("stop"), answer("stop")]);
  await conversation.ask(prompt, 0);
  await conversation.ask(prompt, 2, ["choice", "range"]);
  assert.deepEqual(
    events.map((event) => (event.type === "call-end" ? { ...event, latencyMs: 0, startedAt: 0, waitMs: 0 } : event)),
    [0, 1].flatMap((retryCount) => [
      ...(retryCount === 1 ? [{ type: "re-ask", step: "classify", pk: "1", issueCount: 2 }] : []),
      { type: "call-start", step: "classify", pk: "1" },
      {
        ...{ type: "call-end", step: "classify", pk: "1", model: "gpt", retryCount, latencyMs: 0 },
        ...{ inputTokens: 10, cachedTokens: 4, outputTokens: 3, cost: null, errorCode: null },
        ...{ promptHash: "abc", reasoningTokens: 0, isEstimated: false, startedAt: 0, waitMs: 0 },
        ...(retryCount === 0 ? { kind: "first", issueCodes: [] } : { kind: "re-ask", issueCodes: ["choice", "range"] }),
      },
    ]),
  );
  assert.ok(!JSON.stringify(events).includes("secret"));
});

test("an answer that was cut off is asked for once more with twice the tokens, and without the text", async () => {
  const { conversation, requests } = talk([answer("length", '{"a'), answer("stop", "{}")]);
  assert.equal((await conversation.ask(prompt, 0)).text, "{}");
  assert.deepEqual(
    requests.map(({ maxOutputTokens, lengthFactor }) => [maxOutputTokens, lengthFactor]),
    [
      [100, undefined],
      [200, 2],
    ],
  );
  assert.deepEqual(requests[1]?.messages, prompt.messages);
  assert.equal(conversation.retryCount, 1);
});

test("attempts say why they were made", async () => {
  const down = (): never => {
    throw new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500 });
  };
  const { conversation, events } = talk([answer("length", '{"a'), answer("stop", "no"), down, answer("stop", "{}")]);
  await conversation.ask(prompt, 0);
  await conversation.ask(prompt, 1, ["choice"]);
  assert.deepEqual(
    events.flatMap((event) => (event.type === "call-end" ? [[event.kind, event.issueCodes]] : [])),
    [
      ["first", []],
      ["longer", []],
      ["re-ask", ["choice"]],
      ["retry", []],
    ],
  );
});

test("an answer that is cut off twice fails the row", async () => {
  const { conversation, requests } = talk([answer("length"), answer("length"), answer("stop")]);
  const error = await failureOf(conversation.ask(prompt, 0));
  assert.equal(requests.length, 2);
  assert.deepEqual([error.code, error.class, error.requestId], ["OUTPUT_TRUNCATED", "row", "req"]);
  assert.match(error.message, /100 tokens and again at 200; raise maxOutputTokens/);
});

test("both answers that were cut off stand by the error, for the dead letter", async () => {
  const { conversation } = talk([answer("length", "the first"), answer("length", "the second")]);
  const error = await failureOf(conversation.ask(prompt, 0));
  assert.deepEqual(
    error.attempts.map((attempt) => attempt.answer),
    ["the first", "the second"],
  );
});

test("re-asks about an answer that needed twice the tokens have as many, and are doubled no further", async () => {
  const { conversation, requests } = talk([
    ...[answer("length", '{"a'), answer("stop", "wrong"), answer("stop", "wrong, too")],
    ...[answer("length", '{"b'), answer("stop", "{}")],
  ]);
  await conversation.ask(prompt, 0);
  await conversation.ask(prompt, 1);
  const error = await failureOf(conversation.ask(prompt, 1));
  assert.equal(error.code, "OUTPUT_TRUNCATED");
  await conversation.ask(prompt, 0); // another question of the same step
  assert.deepEqual(
    requests.map(({ maxOutputTokens, lengthFactor }) => [maxOutputTokens, lengthFactor]),
    [
      [100, undefined],
      [200, 2],
      [200, 2],
      [200, 2],
      [100, undefined],
    ],
  );
});

test("a cut answer that a longer one would not cure is not asked for again: the step is given it", async () => {
  const { conversation, requests } = talk([
    answer("length", "blah"),
    answer("length", '{"a'),
    answer("length", "blah"),
  ]);
  const isHopeless = (cut: string): boolean => cut === "blah";
  const given = await conversation.ask({ ...prompt, isHopeless }, 0);
  assert.deepEqual([given.text, given.finishReason, requests.length], ["blah", "length", 1]);
  const doubled = await conversation.ask({ ...prompt, isHopeless }, 0);
  assert.deepEqual([doubled.text, doubled.finishReason, requests.length], ["blah", "length", 3]);
});

test("a refusal and a filtered answer fail the row, and what came with them is not in the message", async () => {
  const refused = await failureOf(talk([answer("refusal", "secret")]).conversation.ask(prompt, 0));
  assert.deepEqual([refused.code, refused.class], ["REFUSAL", "row"]);
  const filtered = await failureOf(talk([answer("content_filter", "secret")]).conversation.ask(prompt, 0));
  assert.deepEqual([filtered.code, filtered.class], ["CONTENT_FILTER", "row"]);
});

test("a provider's error comes through as it is, is counted, and its usage is booked", async () => {
  const thrown = new ProviderError("row", "REFUSAL", "no", { usage });
  const { conversation, events } = talk([
    answer("stop"),
    () => {
      throw thrown;
    },
  ]);
  await conversation.ask(prompt, 0);
  assert.equal(await failureOf(conversation.ask(prompt, 1)), thrown);
  const last = events.at(-1);
  assert.ok(last?.type === "call-end");
  assert.deepEqual([last.errorCode, last.model, last.inputTokens, last.retryCount], ["REFUSAL", null, 10, 1]);
  assert.equal(conversation.lineage?.inputTokens, 20);
});

test("anything else that a provider throws fails the row, without its words", async () => {
  const { conversation } = talk([
    () => {
      throw new TypeError("secret");
    },
  ]);
  const error = await failureOf(conversation.ask(prompt, 0));
  assert.deepEqual([error.code, error.class], ["PROVIDER_FAILED", "row"]);
  assert.match(error.message, /^scripted threw TypeError at .*client\.test\.ts:\d+$/);
  assert.equal(conversation.lineage, null);
});

test("an error of the run that a provider throws ends the run", async () => {
  const { conversation } = talk([
    () => {
      throw new RunError("SETTING_MISSING", "no key");
    },
  ]);
  await assert.rejects(conversation.ask(prompt, 0), { code: "SETTING_MISSING", scope: "run" });
});

test("once the run is given up no call goes, and a call that breaks off is nobody's failure", async () => {
  const stop = new AbortController();
  const { conversation, events } = talk(
    [
      () => {
        stop.abort(new RunError("ABORTED", "stopped"));
        throw new DOMException("aborted", "AbortError");
      },
    ],
    stop.signal,
  );
  await assert.rejects(conversation.ask(prompt, 0), { code: "ABORTED" });
  const last = events.at(-1);
  assert.ok(last?.type === "call-end" && last.errorCode === "ABORTED");
  await assert.rejects(conversation.ask(prompt, 0), { code: "ABORTED" });
  assert.equal(conversation.retryCount, 0);
});

test("a transient failure is tried again, and each attempt is counted, booked and paid for", async () => {
  const prices = { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency: "USD" };
  const down = (): never => {
    throw new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500, usage });
  };
  const { conversation, events } = talk([down, down, answer("stop", "{}")], undefined, prices);
  assert.equal((await conversation.ask(prompt, 0)).text, "{}");
  assert.equal(conversation.retryCount, 2);
  assert.equal(conversation.lineage?.calls, 3);
  const costs = events.flatMap((event) => (event.type === "call-end" ? [event.cost] : []));
  assert.deepEqual(costs, [13e-6, 13e-6, 13e-6]);
});

test("a transient failure that stays, while other rows are answered, fails the row after five retries", async () => {
  const asked: string[] = [];
  const provider: LLMProvider = {
    name: "p",
    fingerprint: () => "",
    complete: async (_, __, { pk } = { step: "", pk: "" }) => {
      asked.push(pk);
      if (pk !== "bad") return answer("stop");
      await client.conversation({ step: "s", pk: "good", provider, signal }).ask(prompt, 0);
      throw new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500 });
    },
  };
  const client = clientWith();
  const { signal } = new AbortController();
  await client.conversation({ step: "s", pk: "first", provider, signal }).ask(prompt, 0);
  const error = await failureOf(client.conversation({ step: "s", pk: "bad", provider, signal }).ask(prompt, 0));
  assert.deepEqual([error.code, error.scope], ["SERVICE_UNAVAILABLE", "row"]);
  assert.equal(asked.filter((pk) => pk === "bad").length, 6);
});

test("after an error that ends the run, no call of any step goes", async () => {
  let calls = 0;
  const provider: LLMProvider = {
    name: "p",
    fingerprint: () => "",
    complete: async () => {
      calls += 1;
      throw new ProviderError("run", "AUTHENTICATION_FAILED", "401");
    },
  };
  const client = clientWith();
  const { signal } = new AbortController();
  const ask = async (step: string, pk: string) =>
    await client.conversation({ step, pk, provider, signal }).ask(prompt, 0);
  const asked = await Promise.allSettled([ask("one", "a"), ask("one", "b"), ask("one", "c")]);
  assert.ok(asked.every((result) => result.status === "rejected" && result.reason.code === "AUTHENTICATION_FAILED"));
  assert.equal(calls, 1, "the canary alone");
  await assert.rejects(ask("two", "a"), { code: "AUTHENTICATION_FAILED" });
  assert.equal(calls, 1);
});

test("an error that ends the run stops the calls to every provider, also those that wait", async () => {
  const { promise, resolve } = Promise.withResolvers<LLMResponse>();
  const { signal } = new AbortController();
  let slowCalls = 0;
  const slow: LLMProvider = {
    name: "slow",
    fingerprint: () => "",
    complete: async () => ((slowCalls += 1), await promise),
  };
  const denied: LLMProvider = {
    name: "denied",
    fingerprint: () => "",
    complete: async () => await Promise.reject(new ProviderError("run", "AUTHENTICATION_FAILED", "401")),
  };
  const client = clientWith({ concurrency: 1 });
  const ask = async (provider: LLMProvider, step: string): Promise<LLMResponse> =>
    await client.conversation({ step, pk: "1", provider, signal }).ask(prompt, 0);
  const flying = ask(slow, "one");
  const waiting = [ask(slow, "one"), ask(slow, "two")]; // one behind the canary, one for its place
  await assert.rejects(ask(denied, "three"), { code: "AUTHENTICATION_FAILED" });
  for (const asked of waiting) await assert.rejects(asked, { code: "AUTHENTICATION_FAILED" });
  resolve(answer("stop"));
  await flying;
  assert.equal(slowCalls, 1);
});

test("what a conversation asked can be forgotten, and where it asked nothing there is nothing to forget", async () => {
  const forgotten: (readonly string[])[] = [];
  const answers = {
    find: async () => undefined,
    save: async () => {},
    forget: async (fingerprints: readonly string[]) => void forgotten.push(fingerprints),
  };
  const provider: LLMProvider = { name: "p", fingerprint: () => "", complete: async () => answer("stop") };
  const client = clientWith({ journal: { answers, runId: "now", reuseEarlier: true } });
  const conversation = client.conversation({ step: "s", pk: "1", provider, signal: new AbortController().signal });
  await conversation.forget();
  await conversation.ask(prompt, 0);
  await conversation.ask({ ...prompt, messages: [] }, 1);
  await conversation.forget();
  assert.deepEqual(
    forgotten.map(({ length }) => length),
    [2],
  );
});

test("an attempt that can't be logged ends the run, also when the call failed", async () => {
  const failure = new RunError("PAYLOAD_LOG_FAILED", "disk full");
  const payloadLog = { add: async () => await Promise.reject(failure) };
  for (const complete of [async () => answer("stop"), async () => await Promise.reject(new Error("down"))]) {
    const provider: LLMProvider = { name: "p", fingerprint: () => "", complete };
    const client = clientWith({ payloadLog });
    const { signal } = new AbortController();
    const asked = client.conversation({ step: "s", pk: "1", provider, signal }).ask(prompt, 0);
    await assert.rejects(asked, (error) => error instanceof LLMEtlError && error === failure);
  }
});
