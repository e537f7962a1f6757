import type { SentCall } from "./sent-calls.ts";

/** So many refusals, and so large a share of the calls since the first of them, are a cliff. */
const fewestRefusals = 4;
const smallestShare = 0.5;

/** Refusals that are spread over more calls, or over a longer time in milliseconds, are none. */
const callsPerRefusal = 3;
const otherCalls = 16;
const longestMs = 5000;

/** Tells the moment at which most calls begin to be refused from refusals here and there. */
export class Cliff {
  #first: { readonly number: number; readonly atMs: number } | undefined;
  #refusedCount = 0;
  #judgedFrom = 0;

  /**
   * True if the refusal of this call makes it a cliff. `settledCount` are the calls that are known to be accepted or refused,
   * `chance` is the share that is refused whatever the pace.
   */
  isReached(call: SentCall, settledCount: number, chance: number, nowMs: number): boolean {
    if (call.number < this.#judgedFrom) return false;
    const isOld =
      this.#first !== undefined &&
      (settledCount - this.#first.number > callsPerRefusal * this.#refusedCount + otherCalls ||
        nowMs - this.#first.atMs > longestMs);
    if (this.#first === undefined || isOld) {
      this.#first = { number: call.number, atMs: nowMs };
      this.#refusedCount = 0;
    }
    if (call.number >= this.#first.number) this.#refusedCount += 1;
    const share = smallestShare + chance;
    return this.#refusedCount >= fewestRefusals && this.#refusedCount >= share * (settledCount - this.#first.number);
  }

  /** Refusals of calls before this number have been judged, and count no more. */
  restart(number: number): void {
    this.#judgedFrom = number;
    this.#first = undefined;
  }

  /** True if a refusal of the call has been judged already. */
  isJudged(call: SentCall): boolean {
    return call.number < this.#judgedFrom;
  }
}
