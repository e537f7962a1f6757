import type { Journal, StoredAnswer } from "../../contracts/journal.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMResponse } from "../../contracts/provider.ts";

export interface AnswerCacheOptions {
  readonly journal: Journal;
  readonly runId: string;
  /** Whether answers of earlier runs are reused, too. */
  readonly reuseEarlier: boolean;
}

export interface CachedAnswer {
  readonly response: LLMResponse;
  /** Whether no call was made for it. */
  readonly reused: boolean;
}

/** Sees to it that no answer is paid for twice: asks the journal before the model, and once for equal requests in flight. */
export class AnswerCache {
  readonly #options: AnswerCacheOptions;
  readonly #inFlight = new Map<string, Promise<CachedAnswer>>();

  constructor(options: AnswerCacheOptions) {
    this.#options = options;
  }

  /**
   * The answer to the request of that fingerprint: kept in the journal, on its way to another row, or asked for and then
   * kept. A refusal that would come again is shared with the rows that wait for it; after any other failure each of
   * them asks for itself.
   *
   * @throws what `ask` throws; a JournalError
   */
  async find(fingerprint: string, ask: () => Promise<LLMResponse>): Promise<CachedAnswer> {
    const asked = this.#inFlight.get(fingerprint);
    if (asked === undefined) return await this.#lead(fingerprint, ask);
    let response: LLMResponse;
    try {
      ({ response } = await asked);
    } catch (error) {
      if (isPermanent(error)) throw copyOf(error);
      return await this.#askAndKeep(fingerprint, ask);
    }
    return { response, reused: true };
  }

  async forget(fingerprints: readonly string[]): Promise<void> {
    await this.#options.journal.forgetAnswers(fingerprints);
  }

  async #lead(fingerprint: string, ask: () => Promise<LLMResponse>): Promise<CachedAnswer> {
    const answer = this.#findOrAsk(fingerprint, ask);
    this.#inFlight.set(fingerprint, answer);
    try {
      return await answer;
    } finally {
      this.#inFlight.delete(fingerprint);
    }
  }

  async #findOrAsk(fingerprint: string, ask: () => Promise<LLMResponse>): Promise<CachedAnswer> {
    const { journal, runId, reuseEarlier } = this.#options;
    const known = await journal.answer(fingerprint);
    if (known !== undefined && (reuseEarlier || known.runId === runId)) return { response: known, reused: true };
    return await this.#askAndKeep(fingerprint, ask);
  }

  async #askAndKeep(fingerprint: string, ask: () => Promise<LLMResponse>): Promise<CachedAnswer> {
    const response = await ask();
    const { text, finishReason, model, usage } = response;
    if (finishReason === "stop" || finishReason === "length") {
      const answer: StoredAnswer = { text, finishReason, model, usage, runId: this.#options.runId };
      await this.#options.journal.keepAnswer(fingerprint, answer);
    }
    return { response, reused: false };
  }
}

/** Whether the same request would be refused again. */
function isPermanent(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.class === "row";
}

/** Each row has an error of its own: the answers before it are kept on it. */
function copyOf(error: ProviderError): ProviderError {
  const { kind, status, requestId, retryAfterMs, detail, cause } = error;
  const facts = { kind, status, requestId, retryAfterMs, detail, cause };
  return new ProviderError(error.class, error.code, error.message, facts);
}
