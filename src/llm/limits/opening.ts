import type { Accepted, SentCalls } from "./sent-calls.ts";

/** No rate is measured over a shorter time, in milliseconds. */
const shortestMs = 200;

/** All that was accepted when calls began to go: at the first one, or when there was room again after a long time. */
export interface Opening extends Accepted {
  /** The cost of what was sent before, where that is known to have been at another time. @default 0 */
  readonly sentBefore?: number | undefined;
}

/** Calls begin anew: the time before is no evidence of how fast they may go. */
export function openedAnew(calls: SentCalls, nowMs: number): Opening {
  return { ...calls.acceptedAt(nowMs), sentBefore: calls.sentCost };
}

/** The cost in a second of the calls since an opening. */
export function sentRateSince({ atMs, sentBefore = 0 }: Opening, { sentCost }: SentCalls, nowMs: number): number {
  return (1000 * (sentCost - sentBefore)) / Math.max(shortestMs, nowMs - atMs);
}
