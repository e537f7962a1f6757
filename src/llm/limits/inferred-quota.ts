import { type CallOutcome, type Limiter, noEvents } from "./limiter.ts";

const secondMs = 1000;

/** The shortest wait that whole seconds can name: the quota may well be there again sooner. */
const roundedWaitMs = 1000;

/** Of a quota that was found, the share that is used: calls may arrive closer together than they left. */
const usedShare = 0.98;

/** Two numbers count as one if they are nearer than this share: the service counts arrivals, we count departures. */
const likeness = 0.05;

/** With how many 429s before it a 429 is compared: more than one, for every other one may come after two slices. */
const comparedRejections = 2;

/** Calls that went for less time than this before the 429 say nothing: too many came at once, or it was for something else. */
const shortestFlowMs = 100;

/** So long after the last 429 calls go as fast as they can again: the quota may have grown. */
const believedMs = 20_000;

/** A limiter that says of a 429 whether a quota by the second explains it: fewer calls in flight would then not help. */
export interface QuotaLimiter extends Limiter {
  /** To be asked after `ended`, about the call that ended last. */
  readonly isExplained: () => boolean;
}

/** Keeps calls below a quota that 429s with a wait of one second have shown. */
export function inferredQuota(): QuotaLimiter {
  const quota = new InferredQuota();
  let isExplained = false;
  return {
    waitMs: (_, nowMs) => quota.waitMs(nowMs),
    started: (_, nowMs) => quota.take(nowMs),
    ended: (outcome, _, nowMs) => {
      isExplained = asksForASecond(outcome) && quota.rejected(nowMs);
      return noEvents;
    },
    isExplained: () => isExplained,
  };
}

function asksForASecond(outcome: CallOutcome): boolean {
  return outcome.type === "failure" && outcome.kind === "rate-limit" && outcome.retryAfterMs === roundedWaitMs;
}

/**
 * Finds out how many requests a service takes in a second, from 429s that ask for a wait of one second, and keeps calls
 * below that number. Such a wait is longer than need be, for a slice of a second is over after half of one in the mean: each
 * 429 can cost the quota of a slice. What goes through after a closed second and before the next one is the quota of
 * one slice, or that of two where one ended meanwhile. So a number that is met again is taken for the quota.
 */
export class InferredQuota {
  /** When the calls of the last second, or of somewhat more, went. */
  readonly #recentMs: number[] = [];
  /** How many calls went through in the second before each of the last 429s, the latest first. */
  #accepted: readonly number[] = [];
  #callsPerSecond = Infinity;
  #believedUntilMs = 0;
  #opensAtMs = 0;
  #isOfSlice = false;

  /** How long the next call has to wait, in milliseconds. */
  waitMs(nowMs: number): number {
    if (nowMs >= this.#believedUntilMs) this.#callsPerSecond = Infinity;
    const secondBeganMs = this.#recentMs[this.#recentMs.length - this.#callsPerSecond];
    return secondBeganMs === undefined ? 0 : Math.max(0, secondBeganMs + secondMs - nowMs);
  }

  take(nowMs: number): void {
    const [oldestMs = nowMs] = this.#recentMs;
    if (nowMs - oldestMs > 2 * secondMs) this.#dropBefore(nowMs - secondMs); // many at a time: each costs a move of the rest
    this.#recentMs.push(nowMs);
  }

  /**
   * Notes a 429 that asked for a wait of one second. Returns whether it tells of a quota by the second: fewer calls in
   * flight would then not help.
   */
  rejected(nowMs: number): boolean {
    if (nowMs >= this.#opensAtMs) this.#beginRejections(nowMs);
    this.#opensAtMs = nowMs + secondMs;
    if (!this.#isOfSlice) return false;
    const [counted = 0, ...before] = this.#accepted;
    const accepted = counted - 1; // the rejected call was counted when it went
    this.#accepted = [accepted, ...before];
    const alike = before.filter((other) => Math.abs(other - accepted) < likeness * accepted);
    this.#callsPerSecond =
      alike.length === 0 ? Infinity : Math.max(1, Math.round(usedShare * Math.min(accepted, ...alike)));
    this.#believedUntilMs = this.#opensAtMs + believedMs;
    return true;
  }

  /** The first 429 since calls went: those that follow it were on their way already. */
  #beginRejections(nowMs: number): void {
    this.#dropBefore(nowMs - secondMs);
    const [firstMs = nowMs] = this.#recentMs;
    this.#isOfSlice = nowMs - firstMs >= shortestFlowMs;
    if (this.#isOfSlice) this.#accepted = [this.#recentMs.length, ...this.#accepted.slice(0, comparedRejections)];
  }

  #dropBefore(timeMs: number): void {
    const kept = this.#recentMs.findIndex((wentMs) => wentMs > timeMs);
    this.#recentMs.splice(0, kept === -1 ? this.#recentMs.length : kept);
  }
}
