import type { SentCalls } from "./sent-calls.ts";

/**
 * Fewer accepted calls than these since a quota was empty, or since the run began: it lets hardly more through than the probes that
 * look for it.
 */
export const fewestAccepted = 3;

/** The pace begins so much above the one at which a call was let through, and grows as much with each that is accepted. */
const growth = 2;

/**
 * The pace of a run whose first one or two calls used up the quota. The time until a probe was let through shows how slow the quota may
 * be; the pace begins there, and doubles with each accepted call until one is rejected. Where there is room again, hardly more time
 * is lost than had passed.
 */
export class SlowStart {
  #begun: { readonly count: number; readonly pace: number; readonly fullPace: number } | undefined;

  /** Begins it after a probe was accepted, where it is due. */
  begin(emptyAtMs: number, calls: SentCalls, fullPace: number, nowMs: number): void {
    const { count } = calls.acceptedAt(nowMs);
    const countBefore = count - 1; // without the probe
    if (countBefore < 1 || countBefore >= fewestAccepted) return; // where none was, others had used up the quota
    this.#begun = { count, pace: (1000 * growth * calls.meanCost) / (nowMs - emptyAtMs), fullPace };
  }

  /** The pace now; undefined where there is no slow start. */
  paceAt(nowMs: number, calls: SentCalls): number | undefined {
    if (this.#begun === undefined) return undefined;
    const { count, pace, fullPace } = this.#begun;
    const grown = pace * growth ** (calls.acceptedAt(nowMs).count - count);
    if (grown >= fullPace) this.#begun = undefined;
    return Math.min(fullPace, grown);
  }

  /** Ends it: a call was rejected. */
  end(): void {
    this.#begun = undefined;
  }
}
