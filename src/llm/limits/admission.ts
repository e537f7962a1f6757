import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import type { EventHandler } from "../../contracts/events.ts";
import { type LLMEtlError, RunError } from "../../errors/llm-etl-error.ts";
import type { ResolvedAdmissionOptions } from "./options.ts";
import { FoundQuota } from "./inferred-quota.ts";
import { Pacer } from "./pacer.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMResponse, Quota } from "../../contracts/provider.ts";

/** How one call ended: one of the two is null. */
export interface CallOutcome {
  readonly response: LLMResponse | null;
  readonly error: LLMEtlError | null;
}

interface Waiter {
  readonly tokens: number;
  readonly start: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** A 429 that does not say how long to wait closes the gate for this long, doubled with each one in a row. */
const unknownWaitMs = 1000;
const longestUnknownWaitMs = 60_000;

/** The shortest wait that whole seconds can tell: the quota may well be there again sooner. */
const roundedWaitMs = 1000;

/** A wait that is shorter, or not so much longer than the one told of before, is not told of. */
const worthTellingMs = 1000;

/** A limit falls by this factor when the service is overloaded, at most once in `backOffEveryMs`. */
const backOffFactor = 0.7;
const backOffEveryMs = 1000;

/**
 * Decides when a call may go to one provider, for all rows together: a gate that a 429 closes, a limit on calls in
 * flight that falls when the service is overloaded and grows back (additive increase, multiplicative decrease), pacing
 * by quota, and single probes while the service is down.
 */
export class Admission {
  readonly #provider: string;
  readonly #options: ResolvedAdmissionOptions;
  readonly #concurrency: number;
  readonly #pacer: Pacer;
  readonly #foundQuota = new FoundQuota();
  readonly #emit: EventHandler;
  readonly #waiting: Waiter[] = [];
  readonly #halt = new AbortController();
  #limit: number;
  #inFlight = 0;
  #closedUntilMs = 0;
  #toldUntilMs = 0;
  #toldLimit: number;
  #backedOffAtMs = -backOffEveryMs;
  #failuresInARow = 0;
  #rateLimitsInARow = 0;
  #probeDelayMs = 0; // above 0 while the service is down
  #stallingSinceMs: number | undefined;
  #hasSucceeded = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped: LLMEtlError | undefined;

  constructor(setup: {
    readonly provider: string;
    readonly concurrency: number;
    readonly quota: Quota;
    readonly options: ResolvedAdmissionOptions;
    readonly emit: EventHandler;
  }) {
    this.#provider = setup.provider;
    this.#options = setup.options;
    this.#concurrency = setup.concurrency;
    this.#limit = setup.concurrency;
    this.#toldLimit = setup.concurrency;
    this.#pacer = new Pacer(setup.quota, performance.now());
    this.#emit = setup.emit;
  }

  /** Whether the service counts as down: failures then use up no row's retries. */
  get isDown(): boolean {
    return this.#probeDelayMs > 0;
  }

  /** Resolves when a call of about so many tokens may go. Whoever got in says how it ended, by `settle`. */
  async admit(tokens: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#waiting.length === 0 && this.#waitMs(tokens) === 0) return this.#begin(tokens);
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        this.#serve(); // the timer may have been for this one
        reject(signal.reason);
      };
      const waiter: Waiter = {
        tokens,
        start: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
        refuse: (reason) => {
          signal.removeEventListener("abort", leave);
          reject(reason);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiter);
      this.#serve();
    });
  }

  /**
   * Says how an admitted call ended. What is not the service's failure (a refused row, an abort) only frees the place.
   * Returns the error that ends the run, if the service has failed for too long.
   */
  settle({ response, error }: CallOutcome, tokens: number): RunError | null {
    this.#inFlight -= 1;
    let stalled: RunError | null = null;
    if (response !== null) this.#succeeded(response, tokens);
    else if (error instanceof ProviderError && error.class === "transient") stalled = this.#failed(error);
    if (this.#mostInFlight !== this.#toldLimit) {
      this.#toldLimit = this.#mostInFlight;
      this.#emit({ type: "concurrency-change", provider: this.#provider, limit: this.#toldLimit });
    }
    this.#serve();
    return stalled;
  }

  /** Nothing goes any more: all who wait are refused, and whoever comes. */
  stop(reason: LLMEtlError): void {
    this.#stopped ??= reason;
    this.#halt.abort(this.#stopped);
    clearTimeout(this.#timer);
    for (const waiter of this.#waiting.splice(0)) waiter.refuse(this.#stopped);
  }

  /** @throws what stopped the run, if that comes first */
  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await setTimeoutPromise(delayMs, undefined, { signal: AbortSignal.any([signal, this.#halt.signal]) });
    } catch {
      throw this.#stopped ?? signal.reason; // one of the two signals: a timer fails for nothing else
    }
  }

  #begin(tokens: number): void {
    this.#inFlight += 1;
    const nowMs = performance.now();
    this.#pacer.take(tokens, nowMs);
    this.#foundQuota.take(nowMs);
  }

  get #mostInFlight(): number {
    return this.isDown ? 1 : Math.max(1, Math.floor(this.#limit));
  }

  /** How long the next call has to wait: 0 if it may go, Infinity if that depends on a call in flight. */
  #waitMs(tokens: number): number {
    if (this.#inFlight >= this.#mostInFlight) return Infinity;
    const nowMs = performance.now();
    const quotaMs = Math.max(this.#pacer.waitMs(tokens, nowMs), this.#foundQuota.waitMs(nowMs));
    return Math.max(0, this.#closedUntilMs - nowMs, quotaMs);
  }

  /** Starts whoever may go, first come, first served, and comes back when the next one may. */
  #serve(): void {
    clearTimeout(this.#timer);
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const waitMs = this.#waitMs(next.tokens);
      if (waitMs > 0) {
        if (waitMs < Infinity) {
          this.#timer = setTimeout(() => this.#serve(), Math.ceil(waitMs));
          if (waitMs >= worthTellingMs) this.#tell(waitMs, "quota"); // where a gate is closed, that is told already
        }
        return;
      }
      this.#waiting.shift();
      this.#begin(next.tokens);
      next.start();
    }
  }

  #succeeded({ rateLimit }: LLMResponse, tokens: number): void {
    if (!this.#hasSucceeded) {
      this.#hasSucceeded = true;
      const { remainingRequests = Infinity, remainingTokens = Infinity } = rateLimit ?? {};
      this.#limit = Math.max(1, Math.min(this.#limit, remainingRequests, Math.floor(remainingTokens / tokens)));
    }
    this.#stallingSinceMs = undefined;
    this.#failuresInARow = 0;
    this.#rateLimitsInARow = 0;
    this.#probeDelayMs = 0;
    // A round is as many successes as the limit: it adds a tenth, or 1.
    this.#limit = Math.min(this.#concurrency, this.#limit + Math.max(1, this.#limit / 10) / this.#limit);
  }

  #failed(error: ProviderError): RunError | null {
    const nowMs = performance.now();
    this.#stallingSinceMs ??= nowMs;
    if (nowMs - this.#stallingSinceMs > this.#options.stallTimeoutMs) return this.#stalled(error);
    const isRateLimit = error.code === "RATE_LIMITED";
    if (isRateLimit) this.#rateLimitsInARow += 1;
    else this.#failuresInARow += 1;
    const isOfSlice = isRateLimit && error.retryAfterMs === roundedWaitMs && this.#foundQuota.refuse(nowMs);
    if ((isRateLimit && !isOfSlice) || error.status === 503) this.#backOff(nowMs);
    const unknown = Math.min(longestUnknownWaitMs, unknownWaitMs * 2 ** Math.min(10, this.#rateLimitsInARow - 1));
    const waitMs = error.retryAfterMs ?? (isRateLimit ? unknown : 0);
    if (waitMs > 0) this.#close(waitMs, "rate_limit", nowMs);
    const isProbe = this.isDown && this.#closedUntilMs <= nowMs; // others were in flight before the service went down
    if (this.#failuresInARow >= this.#options.outageFailures && !isRateLimit && (isProbe || !this.isDown)) {
      const [shortest, longest] = this.#options.probeDelayMs;
      this.#probeDelayMs = Math.min(longest, Math.max(shortest, 2 * this.#probeDelayMs));
      this.#close(this.#probeDelayMs, "outage", nowMs);
    }
    return null;
  }

  #backOff(nowMs: number): void {
    if (nowMs - this.#backedOffAtMs < backOffEveryMs) return;
    this.#backedOffAtMs = nowMs;
    this.#limit = Math.max(1, this.#limit * backOffFactor);
  }

  #close(waitMs: number, reason: "rate_limit" | "outage", nowMs: number): void {
    this.#closedUntilMs = Math.max(this.#closedUntilMs, nowMs + waitMs);
    this.#tell(waitMs, reason);
  }

  /** Says that no call goes for so long, where that is news: many calls may be told the same within moments. */
  #tell(waitMs: number, reason: "rate_limit" | "outage" | "quota"): void {
    const nowMs = performance.now();
    const isKnown = this.#toldUntilMs > nowMs && nowMs + waitMs < this.#toldUntilMs + worthTellingMs;
    if (isKnown) return;
    this.#toldUntilMs = nowMs + waitMs;
    this.#emit({ type: "gate-close", provider: this.#provider, reason, durationMs: waitMs });
  }

  #stalled(cause: ProviderError): RunError {
    const minutes = Math.round(this.#options.stallTimeoutMs / 60_000);
    const problem = `no call to ${this.#provider} has succeeded for ${minutes} minutes; the last failure: ${cause.message}`;
    return new RunError("STALLED", `${problem}. Run again when the service is well: what is done is not done again`, {
      cause,
    });
  }
}
