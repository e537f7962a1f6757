/** The wait of one call, over all of its attempts, for room in its service tier. */
export interface TierWait {
  /** When the call came. */
  readonly enteredMs: number;
  /** Since when it waits for room, from the first attempt on that found none. */
  sinceMs?: number | undefined;
  /** True once it has waited for so long that it goes in the standard tier. */
  isOver?: boolean | undefined;
}

/** Since when a call waits that was not sent yet: no earlier than it came, nor than the tier had no room. */
export function waitsSince({ enteredMs }: TierWait, shortSinceMs: number): number {
  return Math.max(enteredMs, shortSinceMs);
}
