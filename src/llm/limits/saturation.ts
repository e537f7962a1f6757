import type { Accepted } from "./sent-calls.ts";

/** Rejections with more accepted calls between them, and longer apart in milliseconds, do not show that the quota was used up all the time. */
const longestGap = 60;
const longestGapMs = 900;

/** An estimate from fewer calls, or from a shorter time in milliseconds, is worse than none. */
const fewestAccepted = 3;
const shortestMs = 400;

/** A quota that was measured. */
export interface MeasuredQuota {
  /** Tokens a second. */
  readonly rate: number;
  /** The accepted calls that it was measured by: the more, the better it is known. */
  readonly count: number;
}

/**
 * A stretch of time in which a quota was used up all the time, for rejections came close upon each other. What was accepted in it,
 * by its length, is the quota, whatever kind of quota it is.
 */
export class Saturation {
  #start: Accepted | undefined;
  #latest: Accepted = { atMs: 0, count: 0, cost: 0 };
  #rejectedCount = 0;

  /** Notes a rejection, what had been accepted by then, and the share of calls that is rejected whatever the pace. */
  rejected(accepted: Accepted, chance: number): void {
    const gap = Math.min(longestGap, chance > 0 ? 0.5 / chance : Infinity);
    const isFar = accepted.count - this.#latest.count > gap && accepted.atMs - this.#latest.atMs > longestGapMs;
    if (this.#start === undefined || isFar) {
      this.#start = accepted;
      this.#rejectedCount = 0;
    }
    this.#latest = accepted;
    this.#rejectedCount += 1;
  }

  /** Forgets what was measured: from now on it is another pace, or another stretch of a window. */
  restart(): void {
    this.#start = undefined;
    this.#rejectedCount = 0;
  }

  get rejectedCount(): number {
    return this.#rejectedCount;
  }

  /** The quota; undefined where it has not been used up for long enough. */
  get measured(): MeasuredQuota | undefined {
    if (this.#start === undefined) return undefined;
    const count = this.#latest.count - this.#start.count;
    const durationMs = this.#latest.atMs - this.#start.atMs;
    if (count < fewestAccepted || durationMs < shortestMs) return undefined;
    return { rate: ((this.#latest.cost - this.#start.cost) * 1000) / durationMs, count };
  }
}
