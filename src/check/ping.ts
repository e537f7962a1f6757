import type { PingFacts } from "./report.ts";
import type { LLMEtlError } from "../errors/llm-etl-error.ts";
import type { Lineage } from "../contracts/state.ts";
import type { Conversation, Prompt } from "../contracts/conversation.ts";
import type { LLMResponse } from "../contracts/provider.ts";
import { compose } from "../llm/call/compose.ts";
import { CallConversation } from "../llm/call/conversation.ts";
import { recorded, reported } from "../llm/call/recorded.ts";
import type { Attempt, RowLayer } from "../llm/call/row-call.ts";
import { isShareable } from "../llm/call/rejections.ts";
import { send } from "../llm/call/send.ts";
import type { CallPrices } from "../llm/price-book.ts";
import { realTime } from "../llm/limits/time.ts";
import { ProviderError } from "../llm/provider-error.ts";
import { DryRun, type DryRunOptions } from "./dry-run.ts";

/**
 * Lets a step ask its first prompt for real: a call with no other layer than the one that notes the attempt. A re-ask gets
 * the same answer, so that the step says what is wrong with it; whatever else it asks is made up.
 */
export class Ping implements Conversation {
  readonly retryCount = 0;
  readonly lineage: Lineage | null = null;
  readonly #signal: AbortSignal;
  readonly #real: Conversation;
  readonly #madeUp: Conversation;
  #answer: Promise<LLMResponse> | undefined;
  #facts: PingFacts | undefined;

  /** `prices`: those of its call. @default the provider's own */
  constructor(options: DryRunOptions, prices?: CallPrices) {
    const report = async (attempt: Attempt): Promise<void> => {
      this.#facts = factsOf(attempt);
    };
    const layers = [
      neverLonger,
      reported(report, realTime),
      recorded({ report, emit: () => {}, time: realTime, prices }),
    ];
    this.#signal = options.signal;
    this.#real = new CallConversation({ ...options, ask: compose(layers, send) });
    this.#madeUp = new DryRun(options);
  }

  /** Undefined where no response came. */
  get facts(): PingFacts | undefined {
    return this.#facts;
  }

  /** @throws {ProviderError} if no answer came, or none that can be read */
  readonly ask = async (prompt: Prompt, issueCount: number): Promise<LLMResponse> => {
    if (this.#answer !== undefined && issueCount === 0) return await this.#madeUp.ask(prompt, issueCount);
    this.#answer ??= this.#real.ask(prompt, 0);
    try {
      return await this.#answer;
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error;
    }
  };
}

/** In the place of the layer that asks for a longer answer, for a ping is one call. */
const neverLonger: RowLayer = (next) => async (call) => {
  const answer = await next(call);
  if (answer.finishReason !== "length") return answer;
  const { step, request } = call;
  const problem = `the answer was cut off at ${request.maxOutputTokens} tokens, and a run would ask once more with twice as many`;
  throw new ProviderError("row", "OUTPUT_TRUNCATED", `${step}: ${problem}`, { hint: "raise maxOutputTokens" });
};

/**
 * The consequence of a failed ping for a run: `retry` that a run would ask once more, `row` that this row would fail, `run` that
 * others would, too.
 */
export function consequenceOf(error: LLMEtlError): "retry" | "row" | "run" {
  if (error.code === "INVALID_OUTPUT") return "retry";
  if (!(error instanceof ProviderError)) return error.scope === "row" ? "row" : "run";
  if (error.kind === "cut-off" || error.kind === "capacity") return "retry"; // a run waits for room in a tier
  return error.class !== "row" || isShareable(error) ? "run" : "row";
}

function factsOf({ response, usage, latencyMs, cost: amount, currency }: Attempt): PingFacts | undefined {
  if (response === null) return undefined;
  const { inputTokens, cachedTokens, outputTokens } = usage;
  const cost = amount === null || currency === null ? null : { amount, currency };
  return { model: response.model, latencyMs: Math.round(latencyMs), inputTokens, cachedTokens, outputTokens, cost };
}
