import type { ConversationAnswer, Prompt, RowConversation } from "../../contracts/conversation.ts";
import type { LLMProvider, LLMResponse } from "../../contracts/provider.ts";
import type { Lineage } from "../../contracts/state.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { lineageOf } from "./lineage.ts";
import { longer } from "./longer-once.ts";
import { errorForFinish } from "./provider-call.ts";
import type { RowAnswers } from "./journaled.ts";
import { noCalls, type RowAsk, type RowCall, type RowCalls } from "./row-call.ts";

export interface ConversationOptions {
  readonly pipeline: string;
  readonly step: string;
  readonly pk: string;
  readonly provider: LLMProvider;
  readonly signal: AbortSignal;
  /** The way of its calls. */
  readonly ask: RowAsk;
  /** Hears of an error that ends the run. */
  readonly stop?: ((reason: LLMEtlError) => void) | undefined;
  /** The journal's answers of a row; left out where there is none. */
  readonly answers?: RowAnswers | undefined;
}

/** One step asking about one row: makes a call of each prompt, and holds what its calls leave. */
export class CallConversation implements RowConversation {
  readonly #options: ConversationOptions;
  readonly #row: RowCalls = noCalls();
  /** Questions that are no re-ask. */
  #questionCount = 0;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  get retryCount(): number {
    return Math.max(0, this.#row.callCount - this.#questionCount);
  }

  get lineage(): Lineage | null {
    return lineageOf(this.#row.ended);
  }

  get usedAnswers(): readonly string[] {
    return this.#row.used;
  }

  async ask(prompt: Prompt, issueCount: number, issueCodes?: readonly string[]): Promise<ConversationAnswer> {
    const { signal, ask, stop } = this.#options;
    const row = this.#row;
    let answer: LLMResponse;
    if (issueCount === 0) this.#questionCount += 1;
    row.isFormer = false;
    try {
      answer = await ask(this.#callOf(prompt, issueCount, issueCodes));
    } catch (error) {
      if (error instanceof LLMEtlError && error.scope === "run" && !signal.aborted) stop?.(error);
      throw error;
    }
    const { finishReason, text } = answer;
    if (finishReason === "stop" || (finishReason === "length" && prompt.isHopeless?.(text) === true))
      return row.isFormer ? { ...answer, isFormer: true } : answer;
    throw this.#errorOf(prompt, answer);
  }

  #callOf(prompt: Prompt, issueCount: number, issueCodes: readonly string[] | undefined): RowCall {
    const { promptHash, limitedSchema, olderMessages, isHopeless, ...rest } = prompt;
    const { pipeline, step, pk, provider, signal } = this.#options;
    const row = this.#row;
    const usual = Object.assign(rest, { cacheKey: `${pipeline}.${step}.${promptHash}` });
    const isLonger = issueCount > 0 && row.cutAnswers.length > 0;
    const request = isLonger ? longer(usual) : usual;
    const older = olderMessages === undefined ? noOlder : [{ ...usual, messages: olderMessages }];
    // Version 0.1 asked a re-ask with the usual tokens first.
    const olderRequests = isLonger ? [request, usual, ...older.flatMap((one) => [longer(one), one])] : older;
    return {
      step,
      pk,
      provider,
      signal,
      request,
      promptHash,
      limitedSchema,
      olderRequests,
      isHopeless,
      issueCount,
      issueCodes,
      answered: undefined,
      reports: [],
      row,
    };
  }

  /** The error of an answer that is none, with what was cut off. */
  #errorOf({ maxOutputTokens, schema }: Prompt, answer: LLMResponse): LLMEtlError {
    const { step, provider } = this.#options;
    const { maxReasoningTokens = 0 } = provider;
    const { finishReason, text } = answer;
    const { cutAnswers } = this.#row;
    const error = errorForFinish(answer, { step, maxOutputTokens, maxReasoningTokens, schema: schema.json });
    const cut = finishReason === "length" ? [...cutAnswers, text] : cutAnswers;
    return error.withAttempts(cut.map((one) => ({ answer: one, issues: ["it was cut off"] })));
  }

  async forget(): Promise<void> {
    await this.#options.answers?.forget(this.#row);
  }

  async putBack(): Promise<void> {
    await this.#options.answers?.putBack(this.#row);
  }
}

const noOlder: readonly never[] = [];
