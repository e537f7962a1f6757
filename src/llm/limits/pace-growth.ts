/** The growth of a pace with each round, as a share of it: far below the quota, and at least so much near it. */
const fastGrowth = 0.25;
const slowGrowth = 0.003;

/** A quota that was measured by few calls may be wrong by so many calls. */
const callsInDoubt = 0.3;

/** The growth towards a quota that is not reached yet. */
const nearGrowth = 0.02;

/** The growth near a quota that is not known. */
export const unknownGrowth = 0.05;

/** The growth near a quota that was measured by so many accepted calls. */
export function knownGrowth(count: number): number {
  return Math.max(slowGrowth, callsInDoubt / count);
}

interface GrowingPace {
  readonly pace: number;
  /** The quota, as far as it is known. */
  readonly quota: number;
  /** The growth near the quota, for a service that rejects at once. */
  readonly growth: number;
  /** A pace that is too high is noticed so many calls late, and all of them are rejected. */
  readonly callsTooLate: number;
}

/**
 * The pace after a round without too many rejections. Near the quota it grows the slower the more calls are rejected before it is
 * noticed; a quota that has risen is found all the same, for beyond it each round grows more than the one before.
 */
export function grownPace({ pace, quota, growth, callsTooLate }: GrowingPace): number {
  const share = pace / quota;
  if (share < 0.8) return pace * (1 + fastGrowth);
  if (share < 0.98) return pace * (1 + Math.max(nearGrowth, growth));
  if (share < 1.03) return pace * (1 + growth / (2 * Math.max(1, callsTooLate)));
  return pace * Math.min(1 + fastGrowth, share);
}
