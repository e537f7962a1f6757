import assert from "node:assert/strict";
import { test } from "node:test";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import {
  asProviderError,
  estimatedInputTokens,
  assertValidResponse,
  errorForFinish,
} from "../../../src/llm/call/provider-call.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMResponse } from "../../../src/contracts/provider.ts";
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
  assert.deepEqual([error.code, error.scope, error.message], ["PROVIDER_FAILED", "row", "mock threw a TypeError"]);
  assert.match(error.detail, /secret/);
});

test("a response without text, model or numbers can't be read", () => {
  assert.equal(assertValidResponse(provider, response), response);
  const broken = { ...response, usage: { ...usage, outputTokens: Number.NaN } };
  assert.throws(() => assertValidResponse(provider, broken), { code: "INVALID_RESPONSE" });
});

test("a response that did not end as it should says why there is no answer", () => {
  const codeOf = (finishReason: LLMResponse["finishReason"]): string => {
    const error = errorForFinish("kind", { ...response, finishReason }, 100);
    assert.ok(error instanceof ProviderError);
    return error.code;
  };
  assert.deepEqual(
    [codeOf("length"), codeOf("content_filter"), codeOf("refusal")],
    ["OUTPUT_TRUNCATED", "CONTENT_FILTER", "REFUSAL"],
  );
});
