import type { LLMProvider } from "../contracts/provider.ts";
import type { Amounts } from "./call-amounts.ts";
import { quotaCalls, quotaTokens } from "./call-amounts.ts";
import { type Estimate, estimateTotals, type Quantity } from "./estimator.ts";
import type { OffBehind } from "./later-uses.ts";
import type { PlannedNumber, PlannedRun } from "./report.ts";
import type { Stratum } from "./sample.ts";

/** One set of measurements, and what counts beside them whatever the rest of the requests are. */
export interface Measured {
  readonly measurements: ReadonlyMap<string, Amounts>;
  readonly shared: Amounts;
}

/** Totals by name. */
export type Totals = (name: string) => PlannedNumber;

export interface TotalsOptions {
  readonly strata: readonly Stratum[];
  readonly names: readonly string[];
  /** The likeliest, and those that bound it below and above. */
  readonly measured: Measured;
  readonly lowest: Measured;
  readonly highest: Measured;
  /** How far each total may be off for what the sample does not show of later steps. */
  readonly offBehind: OffBehind;
  /** A seed each time the same: a further set of measurements changes no other. */
  readonly random: () => () => number;
}

/** Of these a unit that was not met in the sample has one more: a call that is repeated, a row that fails. */
const countedByOne: Readonly<Record<string, Quantity>> = {
  calls: { unseen: 1, fewest: 1 },
  reAsks: { unseen: 1 },
  failed: { per: "row", unseen: 1 },
};

/** Totals over all requests; undefined where there are requests and none was measured. */
export function totalsOf({
  strata,
  names,
  measured,
  lowest,
  highest,
  offBehind,
  random,
}: TotalsOptions): Totals | undefined {
  const quantities = Object.fromEntries(names.map((name) => [name, countedByOne[name] ?? {}]));
  const estimate = ({ measurements }: Measured): Readonly<Record<string, Estimate>> | undefined =>
    estimateTotals({ strata, measurements: complete(measurements, names), quantities, random: random() });
  const likeliest = estimate(measured);
  if (likeliest === undefined) return undefined;
  const low = lowest === measured ? likeliest : (estimate(lowest) ?? likeliest);
  const high = highest === measured ? likeliest : (estimate(highest) ?? likeliest);
  return (name) => {
    const total = (likeliest[name]?.total ?? 0) + (measured.shared[name] ?? 0);
    const atLeast = asNumber(low[name], lowest.shared[name]);
    const atMost = asNumber(high[name], highest.shared[name]);
    const off = offBehind(name);
    const from = atLeast.total - Math.hypot(atLeast.total - atLeast.low, off.below);
    const to = atMost.total + Math.hypot(atMost.high - atMost.total, off.above);
    return {
      estimate: total,
      low: Math.max(0, Math.min(total, from)),
      high: Number.isFinite(to) ? Math.max(total, to) : null,
    };
  };
}

/** With what counts beside it. */
function asNumber(estimate: Estimate | undefined, shared = 0): Pick<Estimate, "total" | "low" | "high"> {
  const { total = 0, low = 0, high = 0 } = estimate ?? {};
  return { total: total + shared, low: low + shared, high: high + shared };
}

function complete(measurements: ReadonlyMap<string, Amounts>, names: readonly string[]): ReadonlyMap<string, Amounts> {
  const none = Object.fromEntries(names.map((name) => [name, 0]));
  return new Map([...measurements].map(([key, amounts]) => [key, { ...none, ...amounts }]));
}

/** A number without what was spent of it already. */
export function less({ estimate, low, high }: PlannedNumber, spent: number): PlannedNumber {
  const rest = (amount: number): number => Math.max(0, amount - spent);
  return { estimate: rest(estimate), low: rest(low), high: high === null ? null : rest(high) };
}

export function plus({ estimate, low, high }: PlannedNumber, more: number): PlannedNumber {
  return { estimate: estimate + more, low: low + more, high: high === null ? null : high + more };
}

type Duration = Pick<PlannedRun, "durationMs" | "durationBy">;

/** The time of a run: that of the limit that binds it most. */
export function durationOf(totals: Totals, providers: readonly LLMProvider[], concurrency: number): Duration {
  const limits: Duration[] = [{ durationBy: "concurrency", durationMs: times(totals("callMs"), 1 / concurrency) }];
  for (const [place, { quota = {} }] of providers.entries()) {
    const { rpm, tpm } = quota;
    if (rpm !== undefined) {
      limits.push({ durationBy: "requests per minute", durationMs: times(totals(quotaCalls(place)), 60_000 / rpm) });
    }
    if (tpm !== undefined) {
      limits.push({ durationBy: "tokens per minute", durationMs: times(totals(quotaTokens(place)), 60_000 / tpm) });
    }
  }
  const [first, ...others] = limits.toSorted((one, other) => other.durationMs.estimate - one.durationMs.estimate);
  if (first === undefined) throw new Error("there is always the limit of the concurrency");
  const low = Math.max(first.durationMs.low, ...others.map(({ durationMs }) => durationMs.low));
  const highs = [first, ...others].map(({ durationMs }) => durationMs.high ?? Infinity);
  const high = Math.max(...highs);
  return { ...first, durationMs: { ...first.durationMs, low, high: Number.isFinite(high) ? high : null } };
}

function times({ estimate, low, high }: PlannedNumber, factor: number): PlannedNumber {
  return { estimate: estimate * factor, low: low * factor, high: high === null ? null : high * factor };
}
