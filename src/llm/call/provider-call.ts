import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { describeThrown, thrownDetail } from "../../errors/thrown.ts";
import { ProviderError, type ProviderErrorFacts } from "../provider-error.ts";
import { charactersOf, countOf, readUsage } from "../token-usage.ts";
import type { LLMProvider, LLMRequest, LLMResponse, TokenUsage } from "../../contracts/provider.ts";
import type { JSONSchema } from "../../json/json-schema.ts";
import { cutField } from "../../validation/answer-flaws.ts";

/** An error of a provider that keeps the contract, or one made of what it threw instead. */
export function asProviderError(provider: LLMProvider, thrown: unknown): LLMEtlError {
  if (thrown instanceof LLMEtlError) return thrown;
  return new ProviderError("row", "PROVIDER_FAILED", `${provider.name} threw ${describeThrown(thrown)}`, {
    cause: thrown,
    detail: `${provider.name} threw ${thrownDetail(thrown)}`,
  });
}

/**
 * A response that keeps the contract: a provider of the user's own may not. Counts of tokens that are missing or absurd are
 * replaced by an estimate, for the answer was paid for.
 *
 * @throws {ProviderError} INVALID_RESPONSE if it has no text, or no name of a model
 */
export function validResponse({ name }: LLMProvider, request: LLMRequest, response: LLMResponse): LLMResponse {
  const { text, model } = response;
  if (typeof text !== "string" || typeof model !== "string") {
    const expected = "expected text, a model's name, and four numbers of tokens";
    throw new ProviderError("row", "INVALID_RESPONSE", `${name} gave a response that can't be read: ${expected}`);
  }
  // The type promises the counts; whoever wrote the provider may not have kept it.
  const usage: Partial<TokenUsage> = response.usage ?? {};
  const { inputTokens: input, cachedTokens: cached, outputTokens: output, reasoningTokens: reasoning } = usage;
  const { cacheWriteTokens: cacheWrite, tier } = usage;
  if ([input, cached, output, reasoning].every((count) => count !== undefined && countOf(count) === count))
    return response;
  const characters = { input: charactersOf(request.messages), output: text.length };
  return { ...response, usage: readUsage({ input, cached, cacheWrite, output, reasoning, tier }, characters) };
}

export interface FinishContext {
  readonly step: string;
  /** The step's own limit of tokens for an answer. */
  readonly maxOutputTokens: number;
  /** The tokens that the provider adds for reasoning. */
  readonly maxReasoningTokens: number;
  readonly schema: JSONSchema;
}

/** Why a response that did not end as it should has no answer. */
export function errorForFinish(response: LLMResponse, context: FinishContext): ProviderError {
  const { step } = context;
  const facts = { requestId: response.requestId };
  if (response.finishReason === "length") return truncatedError(response.text, context, facts);
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

function truncatedError(
  text: string,
  { step, maxOutputTokens, maxReasoningTokens, schema }: FinishContext,
  facts: ProviderErrorFacts,
): ProviderError {
  const sent = maxOutputTokens + maxReasoningTokens;
  const parts =
    maxReasoningTokens === 0 ? "" : ` (${2 * maxOutputTokens} for the answer, ${2 * maxReasoningTokens} for reasoning)`;
  const where = cutField(text, schema);
  const place = where === "" ? "" : `, in ${where}`;
  const problem = `the answer was cut off at ${sent} tokens and again at ${2 * sent}${parts}${place}`;
  const hint = maxReasoningTokens === 0 ? "raise maxOutputTokens" : "raise maxReasoningTokens or maxOutputTokens";
  const named = where === "" ? {} : { where };
  return new ProviderError("row", "OUTPUT_TRUNCATED", `${step}: ${problem}`, { ...facts, hint, ...named });
}
