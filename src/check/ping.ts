import type { PingFacts } from "./report.ts";
import type { LLMEtlError } from "../errors/llm-etl-error.ts";
import type { Lineage } from "../contracts/state.ts";
import type { Conversation, Prompt } from "../contracts/conversation.ts";
import { costOf } from "../llm/pricing.ts";
import { asProviderError, readable, unusable } from "../llm/call/provider-call.ts";
import { ProviderError } from "../llm/provider-error.ts";
import type { LLMProvider, LLMResponse } from "../contracts/provider.ts";
import { sampleResponse } from "./dry-run.ts";

export interface PingOptions {
  readonly pipeline: string;
  readonly step: string;
  readonly provider: LLMProvider;
  readonly signal: AbortSignal;
}

/**
 * Lets a step ask its first prompt for real, in one call without a second attempt. A re-ask gets the same answer, so that
 * the step says what is wrong with it; whatever else it asks is made up.
 */
export class Ping implements Conversation {
  readonly retryCount = 0;
  readonly lineage: Lineage | null = null;
  readonly #options: PingOptions;
  #call: Promise<LLMResponse> | undefined;
  #facts: PingFacts | undefined;

  constructor(options: PingOptions) {
    this.#options = options;
  }

  /** Undefined where no response came. */
  get facts(): PingFacts | undefined {
    return this.#facts;
  }

  /** @throws {ProviderError} if no answer came, or none that can be read */
  readonly ask = async (prompt: Prompt, issueCount: number): Promise<LLMResponse> => {
    if (this.#call !== undefined && issueCount === 0) return sampleResponse(prompt);
    this.#call ??= this.#ask(prompt);
    return await this.#call;
  };

  async #ask({ promptHash, limitedSchema, ...prompt }: Prompt): Promise<LLMResponse> {
    const { pipeline, step, provider, signal } = this.#options;
    const schema = limitedSchema === undefined ? prompt.schema : { ...prompt.schema, json: limitedSchema };
    const request = { ...prompt, schema, cacheKey: `${pipeline}.${step}.${promptHash}` };
    const startedMs = performance.now();
    let response: LLMResponse;
    try {
      response = readable(provider, await provider.complete(request, signal));
    } catch (error) {
      signal.throwIfAborted();
      throw asProviderError(provider, error);
    }
    this.#facts = factsOf(provider, response, Math.round(performance.now() - startedMs));
    if (response.finishReason === "stop") return response;
    throw response.finishReason === "length"
      ? cutOff(step, request.maxOutputTokens)
      : unusable(step, response, request.maxOutputTokens);
  }
}

/**
 * What a failed ping means for a run: `retry` that a run would ask once more, `row` that this row would fail, `run` that
 * others would, too.
 */
export function consequenceOf(error: LLMEtlError): "retry" | "row" | "run" {
  if (error.code === "INVALID_OUTPUT" || error.code === "OUTPUT_TRUNCATED") return "retry";
  const isProviders = error instanceof ProviderError && (error.class !== "row" || error.code === "BAD_REQUEST");
  return isProviders ? "run" : error.scope;
}

function factsOf({ prices }: LLMProvider, { model, usage }: LLMResponse, latencyMs: number): PingFacts {
  const { inputTokens, cachedTokens, outputTokens } = usage;
  const amount = costOf(usage, prices);
  const cost = amount === null || prices === undefined ? null : { amount, currency: prices.currency };
  return { model, latencyMs, inputTokens, cachedTokens, outputTokens, cost };
}

function cutOff(step: string, maxOutputTokens: number): ProviderError {
  const problem = `the answer was cut off at ${maxOutputTokens} tokens, and a run would ask once more with twice as many`;
  return new ProviderError("row", "OUTPUT_TRUNCATED", `${step}: ${problem}; raise maxOutputTokens`);
}
