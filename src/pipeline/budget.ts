import type { JournalSession } from "../contracts/journal.ts";
import type { JournalSpending, LimitsAt, OpenReservation, SpendingLimit } from "../contracts/journal-spending.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, type OptionCheck, optional } from "../errors/options.ts";
import { JournalBudget } from "../llm/call/journal-budget.ts";
import { limitInBillionths } from "../spending/amount.ts";
import { Calendar, type Period } from "../spending/calendar.ts";

/** Limits on what all runs together spend that have a budget and use one journal, in the currency of the providers' prices. */
export interface BudgetOption {
  /** The most in a calendar day. @default no limit */
  readonly perDay?: number | undefined;
  /** The most in a calendar month. @default no limit */
  readonly perMonth?: number | undefined;
  /** The time zone of days and months, by its IANA name: `Europe/Berlin`. @default "UTC" */
  readonly timeZone?: string | undefined;
}

/** 64 bits hold nine times as many, in billionths. */
const mostMoney = 1_000_000_000;

const isMoney: OptionCheck = {
  expected: "a number above 0, of at most 1,000,000,000",
  fits: (value) => typeof value === "number" && value > 0 && value <= mostMoney,
  required: false,
};

const isTimeZone: OptionCheck = {
  expected: 'the IANA name of a time zone, as "Europe/Berlin"',
  fits: (value) => {
    try {
      return typeof value === "string" && !/^[+-]/u.test(value) && new Calendar(value) instanceof Calendar;
    } catch {
      return false;
    }
  },
  required: true,
};

/** @throws {OptionError} for a wrong value, a budget without a limit, and one of a pipeline without a journal, which keeps what is spent */
export function checkBudget(budget: BudgetOption, journal: unknown): void {
  const owner = "Pipeline budget";
  checkOptions(owner, budget, { perDay: isMoney, perMonth: isMoney, timeZone: optional(isTimeZone) });
  if (budget.perDay === undefined && budget.perMonth === undefined) {
    throw new OptionError(owner, "perDay", "", { expected: "perDay or perMonth, or both", got: "neither" });
  }
  if (journal !== "off") return;
  const hint = "leave journal out, or give maxCost, which caps each run by itself";
  throw new OptionError("Pipeline", "budget", 'it is kept in the journal, which is "off"', { hint });
}

/** The limits of a budget, which its calendar gives for each time: the day's before the month's. */
export function limitsOf({ perDay, perMonth, timeZone = "UTC" }: BudgetOption): LimitsAt {
  const calendar = new Calendar(timeZone);
  const dayAt = limitOf("perDay", perDay, (now) => calendar.dayOf(now));
  const monthAt = limitOf("perMonth", perMonth, (now) => calendar.monthOf(now));
  return (now) => [...dayAt(now), ...monthAt(now)];
}

/** The limit that an amount is in each of its periods. */
function limitOf(name: string, amount: number | undefined, periodOf: (now: Date) => Period): LimitsAt {
  if (amount === undefined) return () => [];
  const most = limitInBillionths(amount);
  let last: SpendingLimit | undefined;
  return (now) => {
    if (last === undefined || now < last.from || now >= last.until) last = { name, most, ...periodOf(now) };
    return [last];
  };
}

interface BudgetedRun {
  readonly runId: string;
  readonly pipeline: { readonly name: string; readonly settings: { readonly budget: BudgetOption | undefined } };
  readonly currency: string | null;
  readonly journal: JournalSession | undefined;
}

/** Opens the budget over the journal; undefined for a pipeline without one. */
export async function openBudget({
  runId,
  pipeline,
  currency,
  journal,
}: BudgetedRun): Promise<JournalBudget | undefined> {
  const { name, settings } = pipeline;
  if (settings.budget === undefined || journal === undefined || currency === null) return undefined;
  const { spending } = journal;
  const limitsAt = limitsOf(settings.budget);
  const standing = (await reservationsOf(spending, name, limitsAt)).filter((each) => each.runId !== runId);
  return new JournalBudget({ spending, standing, limitsAt, pipeline: name, runId, currency });
}

/** The journal's clock may be another machine's. */
const clocksDifferMs = 86_400_000;

/** The reservations of a pipeline that may count for a limit. */
async function reservationsOf(
  { reservations }: JournalSpending,
  pipeline: string,
  limitsAt: LimitsAt,
): Promise<readonly OpenReservation[]> {
  const times = limitsAt(new Date()).map(({ from }) => from.getTime());
  const since = new Date(Math.min(...times) - clocksDifferMs);
  const found: OpenReservation[] = [];
  for (let from: string | undefined; ;) {
    const { items, next } = await reservations({ pipeline, since, limit: 1_000, from });
    found.push(...items);
    if (next === null) return found;
    from = next;
  }
}
