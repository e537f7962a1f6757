import type { EventHandler } from "../core/events.ts";
import { LLMEtlError, nameOf } from "../core/exceptions.ts";
import type { Lineage } from "../core/state.ts";
import type { PayloadLog } from "./payload-log.ts";
import { ProviderError } from "./provider-error.ts";
import type { LLMProvider, LLMRequest, LLMResponse, TokenUsage } from "./providers/base.ts";

/** What a step renders for a row: the request, but for what only the run knows. */
export interface Prompt extends Omit<LLMRequest, "cacheKey"> {
  /** The first 16 hexadecimal digits of the SHA-256 of all that is equal for every row. */
  readonly promptHash: string;
}

/** One step asking about one row. */
export interface Conversation {
  /**
   * The answer to one prompt. An answer that was cut off for its length is asked for once more, with twice the tokens.
   * `issueCount` says how many issues the answer had that this prompt is a re-ask about; 0 for a first one.
   *
   * @throws {ProviderError} if no answer came, or none that can be read (refused, filtered, cut off twice)
   */
  readonly ask: (prompt: Prompt, issueCount: number) => Promise<LLMResponse>;
  /** Calls made so far after the first. */
  readonly retryCount: number;
  /** What the calls so far were and cost; null before the first answer. */
  readonly lineage: Lineage | null;
}

export interface LLMClientOptions {
  readonly pipeline: string;
  /** Undefined where the log is off. */
  readonly payloadLog: PayloadLog | undefined;
  readonly emit: EventHandler;
}

export interface ConversationOptions {
  readonly step: string;
  readonly pk: string;
  readonly provider: LLMProvider;
  readonly signal: AbortSignal;
}

/** Where every call of a run goes through: each attempt is sent, logged and counted here. */
export class LLMClient {
  readonly #options: LLMClientOptions;

  constructor(options: LLMClientOptions) {
    this.#options = options;
  }

  /** Begins the conversation of one step about one row. */
  conversation(options: ConversationOptions): Conversation {
    return new RowConversation({ ...this.#options, ...options });
  }
}

class RowConversation implements Conversation {
  readonly #options: LLMClientOptions & ConversationOptions;
  #callCount = 0;
  #lineage: Lineage | null = null;

  constructor(options: LLMClientOptions & ConversationOptions) {
    this.#options = options;
  }

  get retryCount(): number {
    return Math.max(0, this.#callCount - 1);
  }

  get lineage(): Lineage | null {
    return this.#lineage;
  }

  async ask(prompt: Prompt, issueCount: number): Promise<LLMResponse> {
    const { pipeline, step, pk, emit } = this.#options;
    if (issueCount > 0) emit({ type: "re-ask", step, pk, issueCount });
    const { promptHash, ...rest } = prompt;
    const request = { ...rest, cacheKey: `${pipeline}.${step}.${promptHash}` };
    let response = await this.#attempt(request, promptHash);
    if (response.finishReason === "length") {
      const longer = { ...request, maxOutputTokens: 2 * request.maxOutputTokens };
      response = await this.#attempt(longer, promptHash);
    }
    if (response.finishReason === "stop") return response;
    throw unusable(step, response, request.maxOutputTokens);
  }

  /** One call: sent, logged, counted. */
  async #attempt(request: LLMRequest, promptHash: string): Promise<LLMResponse> {
    const { provider, signal, step, pk, payloadLog } = this.#options;
    const retryCount = this.#callCount;
    const startedAt = new Date();
    const startedMs = performance.now();
    this.#callCount += 1;
    let response: LLMResponse | null = null;
    let error: LLMEtlError | null = null;
    try {
      response = await provider.complete(request, signal);
      return response;
    } catch (thrown) {
      error = signal.aborted ? aborted(thrown) : asProviderError(provider, thrown);
      throw error;
    } finally {
      const latencyMs = performance.now() - startedMs;
      this.#count({ promptHash, response, error, retryCount, latencyMs });
      const facts = { step, pk, provider: provider.name, retryCount, startedAt, latencyMs };
      await payloadLog?.add({ ...facts, request, response, error });
    }
  }

  #count(attempt: {
    promptHash: string;
    response: LLMResponse | null;
    error: LLMEtlError | null;
    retryCount: number;
    latencyMs: number;
  }): void {
    const { promptHash, response, error, retryCount, latencyMs } = attempt;
    const { step, pk, emit } = this.#options;
    const usage = response?.usage ?? (error instanceof ProviderError ? error.usage : undefined);
    const { inputTokens = 0, cachedTokens = 0, outputTokens = 0 }: Partial<TokenUsage> = usage ?? {};
    const before = this.#lineage;
    const model = response?.model ?? before?.model;
    if (model !== undefined) {
      this.#lineage = {
        model,
        promptHash,
        inputTokens: inputTokens + (before?.inputTokens ?? 0),
        cachedTokens: cachedTokens + (before?.cachedTokens ?? 0),
        outputTokens: outputTokens + (before?.outputTokens ?? 0),
        calls: this.#callCount,
      };
    }
    emit({
      type: "call-end",
      step,
      pk,
      model: response?.model ?? null,
      retryCount,
      latencyMs,
      inputTokens,
      cachedTokens,
      outputTokens,
      errorCode: error?.code ?? null,
    });
  }
}

/** An error of a provider that keeps the contract, or one made of what it threw instead. */
function asProviderError(provider: LLMProvider, thrown: unknown): LLMEtlError {
  if (thrown instanceof LLMEtlError) return thrown;
  return new ProviderError("row", "PROVIDER_FAILED", `${provider.name} threw ${nameOf(thrown)}`, { cause: thrown });
}

function aborted(thrown: unknown): ProviderError {
  return new ProviderError("transient", "ABORTED", "the run stopped before the answer came", { cause: thrown });
}

function unusable(step: string, response: LLMResponse, maxOutputTokens: number): ProviderError {
  const facts = { requestId: response.requestId };
  if (response.finishReason === "length") {
    const problem = `the answer was cut off at ${maxOutputTokens} tokens and again at ${2 * maxOutputTokens}`;
    return new ProviderError("row", "OUTPUT_TRUNCATED", `${step}: ${problem}; raise maxOutputTokens`, facts);
  }
  if (response.finishReason === "content_filter") {
    return new ProviderError(
      "row",
      "CONTENT_FILTER",
      `${step}: the service's content filter held the answer back`,
      facts,
    );
  }
  return new ProviderError("row", "REFUSAL", `${step}: the model refused to answer`, facts);
}
