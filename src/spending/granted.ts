import type { LimitState, Reservation } from "../contracts/journal-spending.ts";

const quarterMs = 15 * 60_000;

/** The quarter of an hour of a time, as its beginning. Days and months begin with one, whatever the time zone. */
export function quarterOf(timeMs: number): number {
  return timeMs - (timeMs % quarterMs);
}

/** The number of reservations, from the first on, that fit under all limits, and the limits as they are with them. */
export function granted(
  wanted: readonly Pick<Reservation, "amount">[],
  limits: readonly LimitState[],
): { readonly count: number; readonly limits: readonly LimitState[] } {
  let sum = 0n;
  let count = 0;
  for (const { amount } of wanted) {
    const total = sum + amount;
    if (limits.some(({ limit, settled, reserved }) => settled + reserved + total > limit.most)) break;
    sum = total;
    count += 1;
  }
  return {
    count,
    limits: limits.map(({ limit, settled, reserved }) => ({ limit, settled, reserved: reserved + sum })),
  };
}
