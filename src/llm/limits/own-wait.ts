import { longestWaitMs, shortestWaitMs } from "./gate.ts";

/** A wait that is longer, in milliseconds, is that of a window which is used up; a shorter one may be rounded. */
export const windowWaitMs = 2000;

/** Near a quota that is known, the share of a wait that may be rounded. */
const roundedShare = 0.25;

/** The shortest and the longest wait where the service asks for none, in milliseconds. */
const unknownMs = [200, 500] as const;

interface RejectedCall {
  /** The wait that the service asks for, in milliseconds; undefined for none. */
  readonly askedMs: number | undefined;
  /** True if calls go at about a quota that is known. */
  readonly isNearKnownQuota: boolean;
  readonly random: () => number;
}

/**
 * How long a rejected call waits for itself, in milliseconds: as the service asks, within bounds. Near a quota that is known there is
 * room again within a few calls. A wait that was rounded up to a second is too long then, and at the end of a table there is nothing
 * else to send meanwhile.
 */
export function ownWaitMs({ askedMs, isNearKnownQuota, random }: RejectedCall): number {
  const [shortest, longest] = unknownMs;
  const isRounded = isNearKnownQuota && askedMs !== undefined && askedMs < windowWaitMs;
  const waitMs = isRounded ? roundedShare * askedMs : (askedMs ?? shortest + (longest - shortest) * random());
  return Math.min(longestWaitMs, Math.max(shortestWaitMs, waitMs));
}
