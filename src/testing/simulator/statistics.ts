import { keyOf } from "./request-hash.ts";
import { Tally } from "./tally.ts";

/** The figures of a simulator since its start or its last reset. */
export interface SimulatorStatistics {
  /** Requests for a completion, with any outcome; requests for an unknown path are included. Lines of batches are none. */
  readonly requests: number;
  /** Requests by HTTP status; `none` counts those without a status (reset, hung, or the client went away). */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Served faults by name, those of lines of batches included. */
  readonly byFault: Readonly<Record<string, number>>;
  /** Requests that the limits turned away with 429; the fault `rateLimit` is not among them. */
  readonly rateLimitedRequests: number;
  /** Requests for Flex that got a 429 for want of capacity. */
  readonly flexShortages: number;
  /** Tokens of the answers that were sent as a whole, and of those in batches. Those of lost ones, too, are on the bill. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  /** Requests in flight now. */
  readonly concurrency: number;
  /** The most requests in flight at once. */
  readonly peakConcurrency: number;
  /** Answers to a request that had been answered before, equal byte for byte: money spent twice. */
  readonly repeatedRequests: number;
  /** Different system messages among the answered requests, counted up to 10,000. */
  readonly systemMessages: number;
  /** Opened connections. */
  readonly connections: number;
}

/** The tokens of one answer. */
export interface AnswerTokens {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** The part of the prompt that the cache has now; undefined for a service that does not tell it and has no price for it. */
  readonly cacheWriteTokens?: number | undefined;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
}

const maxSystemMessages = 10_000;
/** The most different bodies that are remembered. */
const maxBodies = 1_000_000;

export class StatisticsCounter {
  readonly #byStatus = new Map<string, number>();
  readonly #byFault = new Map<string, number>();
  readonly #systemMessages = new Set<number>();
  readonly #tokens = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 };
  #bodies = new Tally(maxBodies);
  #requests = 0;
  #rateLimited = 0;
  #flexShortages = 0;
  #concurrency = 0;
  #peakConcurrency = 0;
  #repeated = 0;
  #connections = 0;

  connected(): void {
    this.#connections += 1;
  }

  /** Counts a request and returns its number, from 1. */
  arrived(): number {
    this.#concurrency += 1;
    this.#peakConcurrency = Math.max(this.#peakConcurrency, this.#concurrency);
    this.#requests += 1;
    return this.#requests;
  }

  left(): void {
    this.#concurrency -= 1;
  }

  ended(status: number | "none"): void {
    count(this.#byStatus, String(status));
  }

  faulted(name: string): void {
    count(this.#byFault, name);
  }

  rateLimited(): void {
    this.#rateLimited += 1;
  }

  flexShortage(): void {
    this.#flexShortages += 1;
  }

  answered(body: Buffer, systemMessage: string, tokens: AnswerTokens): void {
    if (this.#bodies.meet(keyOf(body)) > 0) this.#repeated += 1;
    if (this.#systemMessages.size < maxSystemMessages) this.#systemMessages.add(keyOf(systemMessage));
    this.#tokens.promptTokens += tokens.promptTokens;
    this.#tokens.cachedTokens += tokens.cachedTokens;
    this.#tokens.completionTokens += tokens.completionTokens;
    this.#tokens.reasoningTokens += tokens.reasoningTokens;
  }

  /** Starts anew; the requests in flight still count. */
  reset(): void {
    this.#byStatus.clear();
    this.#byFault.clear();
    this.#systemMessages.clear();
    Object.assign(this.#tokens, { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 });
    this.#bodies = new Tally(maxBodies);
    this.#requests = this.#concurrency;
    this.#peakConcurrency = this.#concurrency;
    this.#rateLimited = 0;
    this.#flexShortages = 0;
    this.#repeated = 0;
    this.#connections = 0;
  }

  read(): SimulatorStatistics {
    return {
      requests: this.#requests,
      byStatus: Object.fromEntries(this.#byStatus),
      byFault: Object.fromEntries(this.#byFault),
      rateLimitedRequests: this.#rateLimited,
      flexShortages: this.#flexShortages,
      ...this.#tokens,
      concurrency: this.#concurrency,
      peakConcurrency: this.#peakConcurrency,
      repeatedRequests: this.#repeated,
      systemMessages: this.#systemMessages.size,
      connections: this.#connections,
    };
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
