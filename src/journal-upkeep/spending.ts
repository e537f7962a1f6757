import { amountOf } from "../spending/amount.ts";
import { Calendar } from "../spending/calendar.ts";
import type { Look } from "./look.ts";
import { pagesOf } from "./runs.ts";

/** The money of all runs of a day that have a budget. */
export interface DaySpending {
  /** As `2026-11-30`. */
  readonly date: string;
  readonly currency: string;
  readonly settled: number;
  /** For calls that are under way, and for those that were when their run was killed. */
  readonly reserved: number;
}

/** The money that was spent in the month that a time is in, by day and currency, in a time zone. Days without any are left out. */
export async function spendingByDay(
  { spending }: Pick<Look, "spending">,
  now: Date,
  timeZone: string,
): Promise<readonly DaySpending[]> {
  const calendar = new Calendar(timeZone);
  const { from: since } = calendar.monthOf(now);
  const days = new Map<string, { date: string; currency: string; settled: bigint; reserved: bigint }>();
  const dayOf = (time: Date, currency: string) => {
    const date = calendar.dateOf(time);
    const key = JSON.stringify([date, currency]);
    const day = days.get(key) ?? { date, currency, settled: 0n, reserved: 0n };
    days.set(key, day);
    return day;
  };
  for await (const page of pagesOf(async (request) => await spending.list({ since, ...request })))
    for (const { startsAt, currency, settled } of page) dayOf(startsAt, currency).settled += settled;
  for await (const page of pagesOf(async (request) => await spending.reservations({ since, ...request })))
    for (const { reservedAt, currency, amount } of page) dayOf(reservedAt, currency).reserved += amount;
  return [...days]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([, { date, currency, settled, reserved }]) => {
      return { date, currency, settled: amountOf(settled), reserved: amountOf(reserved) };
    });
}
