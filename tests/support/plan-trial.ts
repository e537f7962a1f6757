import { type Estimate, estimateTotals } from "../../src/plan/estimator.ts";
import { chooseSample } from "../../src/plan/sample.ts";
import { type Name, names, type PlanTable } from "./plan-tables.ts";
import { randomFrom } from "./quota-lab/random.ts";

export const quantities = {
  cost: {},
  inputTokens: {},
  cachedTokens: {},
  outputTokens: {},
  calls: { unseen: 1, fewest: 1 },
  durationMs: { unseen: 10_000 }, // one call in a hundred lasts that much longer
  failed: { per: "row", unseen: 1 },
} as const;

/** An estimate beside the total that it is of. */
export interface Trial extends Estimate {
  readonly truth: number;
}

/** Asks a sample of a table, and compares what is estimated with what the whole table measures. */
export function trial(
  { units, measuredOf, truth }: PlanTable,
  { count, seed }: { readonly count: number; readonly seed: number },
): Readonly<Record<Name, Trial>> {
  const strata = chooseSample(units, count, randomFrom(seed));
  const asked = strata.flatMap((stratum) => stratum.asked);
  const measurements = new Map(asked.map((unit) => [unit.key, measuredOf(unit)]));
  const estimates = estimateTotals({ strata, measurements, quantities, random: randomFrom(seed + 1), resamples: 599 });
  if (estimates === undefined) throw new Error("nothing was asked");
  const trials = names.map((name) => [name, { ...estimates[name], truth: truth[name] }]);
  return Object.fromEntries(trials) as Record<Name, Trial>;
}

/** In shares of the truth. */
export interface Quality {
  readonly covered: number;
  readonly trials: number;
  readonly medianHalfWidth: number;
  readonly medianError: number;
}

export function qualityOf(trials: readonly Trial[]): Quality {
  const allowance = 1e-9; // floating numbers, summed in another order
  const share = (amount: number, { truth }: Trial): number => (amount === 0 ? 0 : amount / truth);
  const isCovered = ({ low, high, truth }: Trial): boolean =>
    low <= truth * (1 + allowance) && high >= truth * (1 - allowance);
  return {
    covered: trials.filter(isCovered).length,
    trials: trials.length,
    medianHalfWidth: median(trials.map((one) => share((one.high - one.low) / 2, one))),
    medianError: median(trials.map((one) => share(Math.abs(one.total - one.truth), one))),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
