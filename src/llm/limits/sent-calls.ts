/** A call that has been out for so many times as long as a refusal takes would have been refused by now. */
const refusalPatience = 1.5;

/** The weight of the newest refusal in the mean of how long one takes. */
const newestWeight = 0.2;

/** Of the settled calls so many are kept before they are dropped together: each drop moves the rest. */
const keptCount = 1024;

/** One call that went. */
export interface SentCall {
  /** Counted from 0, in the order of leaving. */
  readonly number: number;
  readonly sentAtMs: number;
  readonly tokens: number;
  isAnswered: boolean;
  isRefused: boolean;
}

/** All that had been accepted at one moment. */
export interface Accepted {
  readonly atMs: number;
  readonly count: number;
  readonly tokens: number;
}

/**
 * Counts which of the calls that went were accepted. A call that is out counts neither way until it is old enough to have
 * been refused: answers take longer than refusals, so that the newest calls would make every quota look too large.
 */
export class SentCalls {
  /** Those that are neither accepted nor refused yet begin at `#oldest`. */
  readonly #calls: SentCall[] = [];
  #oldest = 0;
  #sentCount = 0;
  #sentTokens = 0;
  #acceptedCount = 0;
  #acceptedTokens = 0;
  #refusedCount = 0;
  #refusalMs = 0;

  /** Notes that a call goes. */
  add(tokens: number, nowMs: number): SentCall {
    const call = { number: this.#sentCount, sentAtMs: nowMs, tokens, isAnswered: false, isRefused: false };
    this.#sentCount += 1;
    this.#sentTokens += tokens;
    this.#calls.push(call);
    return call;
  }

  /** Notes that a call was refused. */
  refuse(call: SentCall, nowMs: number): void {
    const tookMs = nowMs - call.sentAtMs;
    this.#refusalMs += (this.#refusedCount === 0 ? 1 : newestWeight) * (tookMs - this.#refusalMs);
    this.#refusedCount += 1;
    if (call.number < this.settledCount) {
      this.#acceptedCount -= 1; // it was taken for accepted
      this.#acceptedTokens -= call.tokens;
    }
    call.isRefused = true;
    this.#settle(nowMs);
  }

  /** All that has been accepted by now. */
  acceptedAt(nowMs: number): Accepted {
    this.#settle(nowMs);
    return { atMs: nowMs, count: this.#acceptedCount, tokens: this.#acceptedTokens };
  }

  get sentCount(): number {
    return this.#sentCount;
  }

  get sentTokens(): number {
    return this.#sentTokens;
  }

  /** All calls before this number are accepted or refused. */
  get settledCount(): number {
    return this.#sentCount - (this.#calls.length - this.#oldest);
  }

  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** How long a refusal takes, in milliseconds; 0 before the first one. */
  get refusalMs(): number {
    return this.#refusalMs;
  }

  /** In milliseconds, from when on a call that is still out counts as accepted. */
  acceptedAfterMs(call: SentCall): number {
    return call.sentAtMs + refusalPatience * this.#refusalMs;
  }

  #settle(nowMs: number): void {
    for (let call = this.#calls[this.#oldest]; call !== undefined; call = this.#calls[this.#oldest]) {
      if (!call.isAnswered && !call.isRefused && nowMs < this.acceptedAfterMs(call)) break;
      if (!call.isRefused) {
        this.#acceptedCount += 1;
        this.#acceptedTokens += call.tokens;
      }
      this.#oldest += 1;
    }
    if (this.#oldest < keptCount) return;
    this.#calls.splice(0, this.#oldest);
    this.#oldest = 0;
  }
}
