import type { Prompt, RowConversation } from "../../contracts/conversation.ts";
import type { EventHandler } from "../../contracts/events.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import type { Lineage } from "../../contracts/state.ts";
import { Admission } from "../limits/admission.ts";
import { defaultLimits } from "../limits/default-limits.ts";
import type { ResolvedAdmissionOptions } from "../limits/options.ts";
import type { AnswerCache } from "./answer-cache.ts";
import type { Budget } from "./budget.ts";
import { Canary } from "./canary.ts";
import { Fingerprints } from "./fingerprint.ts";
import type { PayloadLog } from "./payload-log.ts";
import { costOf } from "../pricing.ts";
import { asProviderError, estimatedInputTokens, readable, unusable } from "./provider-call.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMProvider, LLMRequest, LLMResponse, TokenUsage } from "../../contracts/provider.ts";
import type { Time } from "../../contracts/time.ts";
import { realTime } from "../limits/time.ts";
import { Again, retryTransport } from "./transport-retry.ts";

export interface LLMClientOptions {
  readonly pipeline: string;
  readonly concurrency: number;
  readonly admission: ResolvedAdmissionOptions;
  readonly budget: Budget;
  /** Undefined where the log is off. */
  readonly payloadLog: PayloadLog | undefined;
  /** Undefined where there is no journal: then every request is a call. */
  readonly cache: AnswerCache | undefined;
  readonly emit: EventHandler;
  /** @default this machine's */
  readonly time?: Time | undefined;
}

/** How one attempt ended: one of the two is null. */
interface CallOutcome {
  readonly response: LLMResponse | null;
  readonly error: LLMEtlError | null;
}

export interface ConversationOptions {
  readonly step: string;
  readonly pk: string;
  readonly provider: LLMProvider;
  readonly signal: AbortSignal;
}

/** How the calls of one step to one provider go. */
interface Route {
  readonly canary: Canary;
  readonly admission: Admission;
  readonly fingerprints: Fingerprints;
}

/** Where every call of a run goes through: each attempt is admitted, sent, logged and counted here. */
export class LLMClient {
  readonly #options: LLMClientOptions;
  readonly #admissions = new Map<LLMProvider, Admission>();
  readonly #canaries = new Map<string, Canary>();
  readonly #fingerprints = new Fingerprints();

  constructor(options: LLMClientOptions) {
    this.#options = options;
  }

  /** Begins the conversation of one step about one row. */
  conversation(options: ConversationOptions): RowConversation {
    const { provider, step } = options;
    const { concurrency, admission, emit, time = realTime } = this.#options;
    const { name, quota = {} } = provider;
    const route = {
      fingerprints: this.#fingerprints,
      admission: getOrMake(this.#admissions, provider, () => {
        const limits = defaultLimits({ concurrency, quota, options: admission });
        return new Admission({ provider: name, concurrency, limits, time, emit });
      }),
      canary: getOrMake(this.#canaries, step, () => new Canary()),
    };
    return new ClientConversation({ ...this.#options, ...options }, route, (reason) => this.#stop(reason));
  }

  /** After an error that ends the run no call goes any more, whoever waits. */
  #stop(reason: LLMEtlError): void {
    for (const part of [...this.#admissions.values(), ...this.#canaries.values()]) part.stop(reason);
  }
}

class ClientConversation implements RowConversation {
  readonly #options: LLMClientOptions & ConversationOptions;
  readonly #route: Route;
  readonly #stop: (reason: LLMEtlError) => void;
  /** Calls made, and answers that were had without one. */
  #callCount = 0;
  #lineage: Lineage | null = null;
  readonly #fingerprints: string[] = [];

  constructor(options: LLMClientOptions & ConversationOptions, route: Route, stop: (reason: LLMEtlError) => void) {
    this.#options = options;
    this.#route = route;
    this.#stop = stop;
  }

  get retryCount(): number {
    return Math.max(0, this.#callCount - 1);
  }

  get lineage(): Lineage | null {
    return this.#lineage;
  }

  async ask(prompt: Prompt, issueCount: number): Promise<LLMResponse> {
    const { promptHash, limitedSchema, ...rest } = prompt;
    const { pipeline, step } = this.#options;
    const request = { ...rest, cacheKey: `${pipeline}.${step}.${promptHash}` };
    const sent = limitedSchema === undefined ? {} : { schema: { ...request.schema, json: limitedSchema } };
    let response = await this.#answer(request, sent, promptHash, issueCount);
    if (response.finishReason === "length") {
      const longer = { ...request, maxOutputTokens: 2 * request.maxOutputTokens, lengthFactor: 2 };
      response = await this.#answer(longer, sent, promptHash, 0);
    }
    if (response.finishReason === "stop") return response;
    throw unusable(step, response, request.maxOutputTokens);
  }

  async forget(): Promise<void> {
    if (this.#fingerprints.length > 0) await this.#options.cache?.forget(this.#fingerprints);
  }

  /** One answer: the journal's, that of another row with the same request, or the model's. */
  async #answer(
    request: LLMRequest,
    sent: Partial<LLMRequest>,
    promptHash: string,
    issueCount: number,
  ): Promise<LLMResponse> {
    const { cache, provider, step, pk, emit } = this.#options;
    const ask = async (): Promise<LLMResponse> => {
      if (issueCount > 0) emit({ type: "re-ask", step, pk, issueCount });
      return await this.#call({ ...request, ...sent }, promptHash);
    };
    if (cache === undefined) return await ask();
    const fingerprint = this.#route.fingerprints.of(provider, request);
    this.#fingerprints.push(fingerprint);
    const { response, reused } = await cache.find(fingerprint, ask);
    if (reused) this.#countReuse(promptHash, response);
    return response;
  }

  /** One answer: as many attempts as transient failures take. */
  async #call(request: LLMRequest, promptHash: string): Promise<LLMResponse> {
    const { pk, signal, admission: options, time: { random } = realTime } = this.#options;
    const { canary, admission } = this.#route;
    const attempt = async (): Promise<LLMResponse> => await this.#attempt(request, promptHash);
    try {
      return await canary.run(pk, async () => await retryTransport(attempt, { ...options, admission, random, signal }));
    } catch (error) {
      if (error instanceof LLMEtlError && error.scope === "run" && !signal.aborted) this.#stop(error);
      throw error;
    }
  }

  /** One attempt: admitted, sent, counted, logged. */
  async #attempt(request: LLMRequest, promptHash: string): Promise<LLMResponse> {
    const { provider, signal, step, pk, budget, payloadLog, emit } = this.#options;
    const { admission } = this.#route;
    const tokens = estimatedInputTokens(request.messages) + request.maxOutputTokens;
    const pass = await admission.enter({ tokens }, signal);
    const retryCount = this.#callCount;
    const startedAt = new Date();
    const startedMs = performance.now();
    let outcome: CallOutcome;
    try {
      budget.spendCall();
      this.#callCount += 1;
      emit({ type: "call-start", step, pk });
      outcome = { response: readable(provider, await provider.complete(request, signal)), error: null };
    } catch (thrown) {
      outcome = { response: null, error: signal.aborted ? aborted(thrown) : asProviderError(provider, thrown) };
    }
    const verdict = pass.end(outcome.response === null ? { error: outcome.error } : { answer: outcome.response });
    if (this.#callCount > retryCount) {
      const facts = { ...outcome, retryCount, latencyMs: performance.now() - startedMs };
      const cost = this.#count(promptHash, facts);
      await payloadLog?.add({ ...facts, step, pk, provider, request, startedAt, cost });
    }
    if (outcome.response !== null) return outcome.response;
    throw verdict.type === "again" ? new Again(verdict) : verdict.type === "fail" ? verdict.error : outcome.error;
  }

  /** Adds the attempt to the row's lineage, the budget and the run's events. What it cost, where that is known. */
  #count(promptHash: string, attempt: CallOutcome & { retryCount: number; latencyMs: number }): number | null {
    const { response, error, retryCount, latencyMs } = attempt;
    const { step, pk, provider, budget, emit } = this.#options;
    const usage = response?.usage ?? (error instanceof ProviderError ? error.usage : undefined) ?? noUsage;
    const { reasoningTokens: _, ...tokens } = usage;
    const cost = costOf(usage, provider.prices);
    budget.spendCost(cost ?? 0);
    this.#addToLineage(promptHash, response?.model, usage);
    const model = response?.model ?? null;
    const errorCode = error?.code ?? null;
    emit({ type: "call-end", step, pk, model, retryCount, latencyMs, ...tokens, cost, errorCode });
    return cost;
  }

  /** Adds an answer that was had without a call: its figures are those of the call that paid for it. */
  #countReuse(promptHash: string, { model, usage }: LLMResponse): void {
    const { step, pk, provider, emit } = this.#options;
    const { reasoningTokens: _, ...tokens } = usage;
    const cost = costOf(usage, provider.prices);
    this.#callCount += 1;
    this.#addToLineage(promptHash, model, usage);
    emit({ type: "answer-reuse", step, pk, model, ...tokens, cost });
  }

  #addToLineage(promptHash: string, answeredBy: string | undefined, usage: TokenUsage): void {
    const before = this.#lineage;
    const model = answeredBy ?? before?.model;
    if (model === undefined) return;
    this.#lineage = {
      model,
      promptHash,
      inputTokens: usage.inputTokens + (before?.inputTokens ?? 0),
      cachedTokens: usage.cachedTokens + (before?.cachedTokens ?? 0),
      outputTokens: usage.outputTokens + (before?.outputTokens ?? 0),
      calls: this.#callCount,
    };
  }
}

const noUsage: TokenUsage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

function aborted(thrown: unknown): ProviderError {
  return new ProviderError("transient", "ABORTED", "the run stopped before the answer came", { cause: thrown });
}
