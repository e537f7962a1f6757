/** A call that has been out for so many times as long as a rejection takes would have been rejected by now. */
const rejectionPatience = 1.5;

/** The weight of the newest rejection in the mean of how long one takes. */
const newestWeight = 0.2;

/** Of the settled calls so many are kept before they are dropped together: each drop moves the rest. */
const keptCount = 1024;

/** One call that went. */
export interface SentCall {
  /** Counted from 0, in the order of leaving. */
  readonly number: number;
  readonly sentAtMs: number;
  readonly tokens: number;
  /** All tokens that had been sent with it. */
  readonly sentTokens: number;
  /** Its share of the quota, in tokens. */
  readonly cost: number;
  isAnswered: boolean;
  isRejected: boolean;
}

/** All that had been accepted at one moment. */
export interface Accepted {
  readonly atMs: number;
  readonly count: number;
  readonly cost: number;
}

/** The cost in a second of the calls that were accepted between two moments. */
export function rateBetween(earlier: Accepted, later: Accepted): number {
  return (1000 * (later.cost - earlier.cost)) / Math.max(1, later.atMs - earlier.atMs);
}

/**
 * Counts which of the calls that went were accepted. A call that is out counts neither way until it is old enough to have
 * been rejected: answers take longer than rejections, so that the newest calls would make every quota look too large.
 */
export class SentCalls {
  /** Those that are neither accepted nor rejected yet begin at `#oldest`. */
  readonly #calls: SentCall[] = [];
  #oldest = 0;
  #sentCount = 0;
  #sentTokens = 0;
  #sentCost = 0;
  #acceptedCount = 0;
  #acceptedCost = 0;
  #rejectedCount = 0;
  #rejectionMs = 0;

  /** Notes that a call goes, and what it takes of the quota. */
  add(tokens: number, nowMs: number, cost: number = tokens): SentCall {
    const number = this.#sentCount;
    this.#sentCount += 1;
    this.#sentTokens += tokens;
    this.#sentCost += cost;
    const sentTokens = this.#sentTokens;
    const call = { number, sentAtMs: nowMs, tokens, sentTokens, cost, isAnswered: false, isRejected: false };
    this.#settle(-Infinity); // a run that is never rejected asks for no sum, and its calls would all be kept
    this.#calls.push(call);
    return call;
  }

  /** Notes that a call was rejected. */
  reject(call: SentCall, nowMs: number): void {
    const tookMs = nowMs - call.sentAtMs;
    this.#rejectionMs += (this.#rejectedCount === 0 ? 1 : newestWeight) * (tookMs - this.#rejectionMs);
    this.#rejectedCount += 1;
    if (call.number < this.settledCount) {
      this.#acceptedCount -= 1; // it was taken for accepted
      this.#acceptedCost -= call.cost;
    }
    call.isRejected = true;
    this.#settle(nowMs);
  }

  /** All that has been accepted by now. */
  acceptedAt(nowMs: number): Accepted {
    this.#settle(nowMs);
    return { atMs: nowMs, count: this.#acceptedCount, cost: this.#acceptedCost };
  }

  get sentCount(): number {
    return this.#sentCount;
  }

  get sentTokens(): number {
    return this.#sentTokens;
  }

  get sentCost(): number {
    return this.#sentCost;
  }

  /** The cost of a call in the mean; NaN before the first one. */
  get meanCost(): number {
    return this.#sentCost / this.#sentCount;
  }

  /** All calls before this number are accepted or rejected. */
  get settledCount(): number {
    return this.#sentCount - (this.#calls.length - this.#oldest);
  }

  get rejectedCount(): number {
    return this.#rejectedCount;
  }

  /** How long a rejection takes, in milliseconds; 0 before the first one. */
  get rejectionMs(): number {
    return this.#rejectionMs;
  }

  /** In milliseconds, from when on a call that is still out counts as accepted. */
  acceptedAfterMs(call: SentCall): number {
    return call.sentAtMs + rejectionPatience * this.#rejectionMs;
  }

  /** Drops the calls that have ended, up to the first that is still out, and not old enough at that time to be accepted. */
  #settle(nowMs: number): void {
    for (let call = this.#calls[this.#oldest]; call !== undefined; call = this.#calls[this.#oldest]) {
      if (!call.isAnswered && !call.isRejected && nowMs < this.acceptedAfterMs(call)) break;
      if (!call.isRejected) {
        this.#acceptedCount += 1;
        this.#acceptedCost += call.cost;
      }
      this.#oldest += 1;
    }
    if (this.#oldest < keptCount) return;
    this.#calls.splice(0, this.#oldest);
    this.#oldest = 0;
  }
}
