import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { asProviderError, errorForFinish, validResponse } from "../../../src/llm/call/provider-call.ts";
import { estimatedInputTokens } from "../../../src/llm/token-usage.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMResponse } from "../../../src/contracts/provider.ts";
import { chatRequest } from "../../support/chat-server.ts";
import { MockProvider } from "../../../src/llm/providers/mock.ts";

const provider = new MockProvider();
const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
const response: LLMResponse = { text: "{}", finishReason: "stop", model: "gpt", usage };

test("a token is about four characters of all messages together", () => {
  const of = (...contents: string[]): number =>
    estimatedInputTokens(contents.map((content) => ({ role: "user", content })));
  assert.deepEqual([of(), of("abc"), of("abcd", "e"), of("x".repeat(400))], [0, 1, 2, 100]);
});

test("an error of ours stays as it is; what else a provider throws fails its row, without its words", () => {
  const ours = new RunError("QUOTA_EXHAUSTED", "no more");
  assert.equal(asProviderError(provider, ours), ours);
  const error = asProviderError(provider, new TypeError("the row said secret"));
  assert.deepEqual([error.code, error.scope], ["PROVIDER_FAILED", "row"]);
  assert.match(error.message, /^mock threw TypeError at .*provider-call\.test\.ts:\d+$/);
  assert.match(error.detail, /secret/);
});

test("a response without text or model can't be read", () => {
  assert.equal(validResponse(provider, chatRequest, response), response);
  for (const broken of [
    { ...response, text: null },
    { ...response, model: undefined },
  ]) {
    const given = broken as unknown as LLMResponse; // as a JavaScript user could
    assert.throws(() => validResponse(provider, chatRequest, given), { code: "INVALID_RESPONSE" });
  }
});

test("counts of tokens that are missing or absurd cost no answer: they are estimated, and marked so", () => {
  const absurd = [undefined, null, {}, { ...usage, outputTokens: Number.NaN }, { ...usage, inputTokens: -5 }];
  for (const given of [...absurd, { ...usage, inputTokens: 1e300 }, { ...usage, outputTokens: "many" }]) {
    const read = validResponse(provider, chatRequest, { ...response, usage: given as LLMResponse["usage"] }); // as above
    assert.equal(read.usage.isEstimated, true);
    const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = read.usage;
    assert.ok(inputTokens > 0 && inputTokens < 100 && outputTokens === 1, inspect(read.usage));
    assert.deepEqual([cachedTokens, reasoningTokens], [0, 0]);
  }
  const parts = { inputTokens: 5, cachedTokens: 9, outputTokens: 2, reasoningTokens: -1 };
  const { usage: read } = validResponse(provider, chatRequest, { ...response, usage: parts });
  assert.deepEqual(read, { inputTokens: 5, cachedTokens: 5, outputTokens: 2, reasoningTokens: 0 });
});

test("a response that did not end as it should says why there is no answer", () => {
  const schema = { properties: { n: {}, items: {} } };
  const context = { step: "kind", maxOutputTokens: 100, maxReasoningTokens: 0, schema };
  const codeOf = (finishReason: LLMResponse["finishReason"]): string => {
    const error = errorForFinish({ ...response, finishReason }, context);
    assert.ok(error instanceof ProviderError);
    return error.code;
  };
  assert.deepEqual(
    [codeOf("length"), codeOf("content_filter"), codeOf("refusal")],
    ["OUTPUT_TRUNCATED", "CONTENT_FILTER", "REFUSAL"],
  );
});

test("the error of an answer that was cut off twice says what was sent, the reasoning too", () => {
  const cut = { ...response, finishReason: "length" } as const;
  const schema = { properties: { n: {}, items: {} } };
  const context = { step: "kind", maxOutputTokens: 100, maxReasoningTokens: 0, schema };
  assert.match(errorForFinish(cut, context).message, /\b100\b.*\b200\b/);
  const inItems = errorForFinish({ ...cut, text: '{"n": 1, "items": ["a' }, context);
  assert.equal(inItems.facts.where, "items");
  assert.match(inItems.message, /items/);
  assert.equal(errorForFinish({ ...cut, text: '{"n": 1, "unknown": ["a' }, context).facts.where, undefined);
  const reasoned = errorForFinish(cut, { ...context, maxReasoningTokens: 2048 });
  assert.match(reasoned.message, /\b2148\b.*\b4296\b.*\b200\b.*\b4096\b/);
  assert.match(String(reasoned.facts.hint), /maxReasoningTokens/);
});
