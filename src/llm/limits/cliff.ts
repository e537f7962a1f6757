import type { SentCall } from "./sent-calls.ts";

/** So many rejections, and so large a share of the calls since the first of them, are a cliff; not where they take longer, in milliseconds. */
export interface CliffSize {
  readonly fewestRejections: number;
  readonly smallestShare: number;
  readonly longestMs: number;
}

const usualSize: CliffSize = { fewestRejections: 4, smallestShare: 0.65, longestMs: 5000 };

/** Rejections that are spread over more calls are none. */
const callsPerRejection = 3;
const otherCalls = 16;

/** No rate is measured over a shorter time, in milliseconds. */
const shortestMs = 200;

/** Tells the moment at which most calls begin to be rejected from rejections here and there. */
export class Cliff {
  #first: { readonly number: number; readonly atMs: number } | undefined;
  #rejectedCount = 0;
  #judgedFrom = 0;
  readonly #size: CliffSize;

  constructor(size: CliffSize = usualSize) {
    this.#size = size;
  }

  /**
   * True if the rejection of this call makes it a cliff. `settledCount` are the calls that are known to be accepted or rejected,
   * `chance` is the share that is rejected whatever the pace.
   */
  isReached(call: Pick<SentCall, "number">, settledCount: number, chance: number, nowMs: number): boolean {
    if (call.number < this.#judgedFrom) return false;
    const isOld =
      this.#first !== undefined &&
      (settledCount - this.#first.number > callsPerRejection * this.#rejectedCount + otherCalls ||
        nowMs - this.#first.atMs > this.#size.longestMs);
    if (this.#first === undefined || isOld) {
      this.#first = { number: call.number, atMs: nowMs };
      this.#rejectedCount = 0;
    }
    if (call.number >= this.#first.number) this.#rejectedCount += 1;
    const share = this.#size.smallestShare + chance;
    return (
      this.#rejectedCount >= this.#size.fewestRejections &&
      this.#rejectedCount >= share * (settledCount - this.#first.number)
    );
  }

  /** The calls in a second since the first rejection, of so many sent by now. */
  sentRate(sentCount: number, nowMs: number): number {
    if (this.#first === undefined) return 0;
    return (1000 * (sentCount - this.#first.number)) / Math.max(shortestMs, nowMs - this.#first.atMs);
  }

  /** Rejections of calls before this number have been judged, and count no more. */
  restart(number: number): void {
    this.#judgedFrom = number;
    this.#first = undefined;
  }

  /** True if a rejection of the call has been judged already. */
  isJudged(call: SentCall): boolean {
    return call.number < this.#judgedFrom;
  }
}
