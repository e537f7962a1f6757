import assert from "node:assert/strict";
import { test } from "node:test";
import { type LLMEtlError, RowError, RunError } from "../../src/errors/llm-etl-error.ts";
import type { Prompt } from "../../src/contracts/conversation.ts";
import { consequenceOf, Ping } from "../../src/check/ping.ts";
import { ProviderError } from "../../src/llm/provider-error.ts";
import { type MockAnswer, MockProvider } from "../../src/llm/providers/mock.ts";
import type { JSONSchema } from "../../src/json/json-schema.ts";
import type { LLMRequest } from "../../src/contracts/provider.ts";

const schema: JSONSchema = { type: "object", properties: {}, required: [], additionalProperties: false };
const prompt: Prompt = {
  messages: [{ role: "user", content: "a row" }],
  schema: { name: "out", json: schema },
  maxOutputTokens: 100,
  promptHash: "abc",
};
const prices = { inputPerMillion: 1_000_000, cachedInputPerMillion: 0, outputPerMillion: 2_000_000, currency: "EUR" };

function pingWith(answers: readonly MockAnswer[], signal = new AbortController().signal) {
  const requests: LLMRequest[] = [];
  const provider = new MockProvider({
    prices,
    model: "gpt-x",
    responses: (request) => {
      requests.push(request);
      return answers[requests.length - 1] ?? assert.fail("one call too many");
    },
  });
  return { requests, ping: new Ping({ pipeline: "visits", step: "kind", pk: "1", provider, signal }) };
}

test("the prompt is sent once, as a run would send it; a re-ask gets the same answer, another question a made-up one", async () => {
  const { ping, requests } = pingWith(["the answer"]);
  const limitedSchema = { ...schema, description: "limited" };
  const first = await ping.ask({ ...prompt, limitedSchema }, 0);
  const again = await ping.ask(prompt, 2);
  const other = await ping.ask(prompt, 0);
  assert.deepEqual([first.text, again.text, other.text], ["the answer", "the answer", "{}"]);
  assert.deepEqual(requests, [
    {
      messages: prompt.messages,
      schema: { name: "out", json: limitedSchema },
      maxOutputTokens: 100,
      cacheKey: "visits.kind.abc",
    },
  ]);
});

test("its facts are those of the call, with its cost", async () => {
  const usage = { inputTokens: 30, cachedTokens: 10, outputTokens: 4, reasoningTokens: 0 };
  const { ping } = pingWith([{ text: "{}", usage }]);
  assert.equal(ping.facts, undefined);
  await ping.ask(prompt, 0);
  const { latencyMs = Number.NaN, ...facts } = ping.facts ?? {};
  assert.ok(Number.isInteger(latencyMs));
  assert.deepEqual(facts, {
    ...{ model: "gpt-x", inputTokens: 30, cachedTokens: 10, outputTokens: 4 },
    cost: { amount: 28, currency: "EUR" },
  });
});

test("a call that failed is not made again, and brought no facts", async () => {
  const { ping, requests } = pingWith([new ProviderError("run", "DEPLOYMENT_NOT_FOUND", "no such deployment")]);
  await assert.rejects(ping.ask(prompt, 0), { code: "DEPLOYMENT_NOT_FOUND" });
  await assert.rejects(ping.ask(prompt, 1), { code: "DEPLOYMENT_NOT_FOUND" });
  assert.deepEqual([requests.length, ping.facts], [1, undefined]);
});

test("an answer that was cut off or refused has facts, and an error that says what a run would do", async () => {
  const cut = pingWith([{ text: "{", finishReason: "length" }]);
  await assert.rejects(cut.ping.ask(prompt, 0), { code: "OUTPUT_TRUNCATED", message: /once more with twice as many/ });
  const refused = pingWith([{ text: "", finishReason: "refusal" }]);
  await assert.rejects(refused.ping.ask(prompt, 0), { code: "REFUSAL" });
  assert.equal(refused.ping.facts?.model, "gpt-x");
});

test("an abort is thrown as it is", async () => {
  const reason = new Error("enough");
  const { ping } = pingWith(["x"], AbortSignal.abort(reason));
  await assert.rejects(ping.ask(prompt, 0), reason);
});

test("what a failure means for a run follows from its kind", () => {
  const provider = (errorClass: "transient" | "row" | "run", code: string): LLMEtlError =>
    new ProviderError(errorClass, code, "…");
  const cases: readonly (readonly [LLMEtlError, string])[] = [
    [new RowError("INVALID_OUTPUT", "…"), "retry"],
    [provider("row", "OUTPUT_TRUNCATED"), "retry"],
    [provider("row", "CONTENT_FILTER"), "row"],
    [provider("row", "BAD_REQUEST"), "run"],
    [provider("row", "FORBIDDEN"), "run"],
    [provider("row", "DEPLOYMENT_NOT_FOUND"), "run"],
    [provider("row", "QUOTA_EXHAUSTED"), "run"],
    [provider("transient", "NETWORK_ERROR"), "run"],
    [provider("run", "AUTHENTICATION_FAILED"), "run"],
    [new RowError("STEP_FAILED", "…"), "row"],
    [new RunError("SETTING_MISSING", "…"), "run"],
    [new ProviderError("transient", "NO_CAPACITY", "…", { status: 429 }), "retry"],
    [new ProviderError("run", "TIER_UNAVAILABLE", "…", { status: 400 }), "run"],
  ];
  for (const [error, consequence] of cases) assert.equal(consequenceOf(error), consequence, error.code);
});
