import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { nameOf, textOf } from "../../errors/error-text.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../../contracts/provider.ts";

/** About four characters a token; the schema is not counted. */
export function estimatedInputTokens(messages: LLMRequest["messages"]): number {
  return Math.ceil(messages.reduce((sum, { content }) => sum + content.length, 0) / 4);
}

/** An error of a provider that keeps the contract, or one made of what it threw instead. */
export function asProviderError(provider: LLMProvider, thrown: unknown): LLMEtlError {
  if (thrown instanceof LLMEtlError) return thrown;
  return new ProviderError("row", "PROVIDER_FAILED", `${provider.name} threw ${nameOf(thrown)}`, {
    cause: thrown,
    detail: `${provider.name} threw ${textOf(thrown)}`,
  });
}

/** A response that keeps the contract: a provider of the user's own may not. */
export function assertValidResponse({ name }: LLMProvider, response: LLMResponse): LLMResponse {
  const { text, model, usage } = response;
  const counts = [usage.inputTokens, usage.cachedTokens, usage.outputTokens, usage.reasoningTokens];
  if (typeof text === "string" && typeof model === "string" && counts.every(Number.isFinite)) return response;
  const expected = "expected text, a model's name, and four numbers of tokens";
  throw new ProviderError("row", "INVALID_RESPONSE", `${name} gave a response that can't be read: ${expected}`);
}

/** Why a response that did not end as it should has no answer. */
export function errorForFinish(step: string, response: LLMResponse, maxOutputTokens: number): ProviderError {
  const facts = { requestId: response.requestId };
  if (response.finishReason === "length") {
    const problem = `the answer was cut off at ${maxOutputTokens} tokens and again at ${2 * maxOutputTokens}`;
    return new ProviderError("row", "OUTPUT_TRUNCATED", `${step}: ${problem}`, {
      ...facts,
      hint: "raise maxOutputTokens",
    });
  }
  if (response.finishReason === "content_filter") {
    return new ProviderError(
      "row",
      "CONTENT_FILTER",
      `${step}: the service's content filter held the answer back`,
      facts,
    );
  }
  return new ProviderError("row", "REFUSAL", `${step}: the model declined to answer`, facts);
}
