import { bootstrapT, type Errors, type Reach } from "./bootstrap-t.ts";
import { type Group, groupsOf } from "./measured-groups.ts";
import { type MeasuredQuantity, project } from "./projection.ts";
import { mostUnseen, projectRare, usualValue } from "./rare-events.ts";
import { type Stratum, sum } from "./sample.ts";

/** A number of each unit: its cost, its output tokens, its calls, 1 if it failed and 0 if not. */
export interface Quantity {
  /**
   * `"unit"`: the unit has it once, however many rows share its answer. `"row"`: each of its rows has it.
   * @default "unit"
   */
  readonly per?: "unit" | "row";
  /**
   * The amount that a unit (or row) of a kind too rare for the sample would have beyond the expected: 1 for failures.
   * @default as much again as is expected of it, as where it is asked a second time
   */
  readonly unseen?: number;
  /**
   * The least that a unit (or row) has, whatever becomes of it: 1 for calls. One of a kind too rare for the sample may have no more, as where it
   * fails, and nothing is asked of it at later steps.
   * @default 0
   */
  readonly fewest?: number;
}

/** The total of a quantity over all units, in the unit of its measurements. */
export interface Estimate {
  /** The measured part and the estimate of the rest. */
  readonly total: number;
  /** The lower end of the 95 % interval: never below `measured`. */
  readonly low: number;
  /** The upper end. `Infinity` where one unit of several was measured: one does not tell how much they differ. */
  readonly high: number;
  /** The part of the total that was measured: it counts as it is. */
  readonly measured: number;
}

export interface EstimateOptions<Name extends string> {
  /** The answer of `chooseSample`. */
  readonly strata: readonly Stratum[];
  /**
   * By the key of its unit: numbers from 0. A unit without a measurement is estimated from the others: a sample that was cut
   * short still gives totals, if it was asked in the order of `inRandomOrder`.
   */
  readonly measurements: ReadonlyMap<string, Readonly<Record<NoInfer<Name>, number>>>;
  readonly quantities: Readonly<Record<Name, Quantity>>;
  /** Gives numbers from 0 up to, but not including, 1. */
  readonly random: () => number;
  /** The number of samples that are drawn from the sample: more make the ends of the intervals steadier. @default 999 */
  readonly resamples?: number;
}

/**
 * Estimates totals over all units from those that were measured, each with an interval that holds the true total in about 95
 * of 100 tables. Where every unit was measured, the totals are exact and the intervals have no width.
 *
 * A quantity is projected by its relation to the size inside strata, with a bootstrap-t interval (`projection.ts`,
 * `bootstrap-t.ts`); one that is the same for nearly all units by counting the others as rare events (`rare-events.ts`). Every
 * interval reaches as far as a kind of unit may add, or lack, that the sample has not met: 120 units may not show what 1 % of all do.
 *
 * The same strata, measurements and random numbers give the same totals; a further quantity changes no other. Time grows with
 * `resamples` times the measured units times the quantities: 120 of 20,000 units and seven quantities take some 20 ms.
 *
 * @returns undefined where there are units and none was measured.
 * @example
 * const strata = chooseSample(units, 120, random);
 * // … ask inRandomOrder(strata, random), and keep what each costs
 * const { cost, failures } = estimateTotals({ strata, measurements, quantities: { cost: {}, failures: { per: "row", unseen: 1 } }, random });
 */
export function estimateTotals<Name extends string>({
  strata,
  measurements,
  quantities,
  random,
  resamples = 999,
}: EstimateOptions<Name>): Readonly<Record<Name, Estimate>> | undefined {
  const all = groupsOf(strata, ({ key }) => measurements.has(key));
  const groups = all.filter(({ rest }) => rest.length > 0);
  const counts = groups.map(({ measured }) => measured.length);
  if (counts.includes(0)) return undefined;
  const names = Object.keys(quantities) as Name[]; // the keys of a record of names
  const parts = names.map((name) => {
    const { per = "unit", unseen, fewest = 0 } = quantities[name];
    const quantity: MeasuredQuantity = {
      value: ({ key }) => measurements.get(key)?.[name] ?? 0,
      times: ({ rows }) => (per === "row" ? rows : 1),
    };
    const units = all.flatMap(({ measured }) => measured);
    const known = sum(units.map((unit) => quantity.times(unit) * quantity.value(unit)));
    return { known, ...restOf(groups, quantity, { unseen, fewest }) };
  });
  const reaches = counts.includes(1) ? undefined : bootstrapT(counts, parts, { random, resamples });
  const estimates = parts.map((part, index) => [names[index], estimateOf(part, reaches?.[index])]);
  return Object.fromEntries(estimates) as Record<Name, Estimate>; // one of each name
}

/** A quantity over the units that were not measured. */
interface Rest extends Errors {
  readonly total: number;
  /** The interval reaches so far at least. */
  readonly least: Reach;
}

const nothing: Rest = { total: 0, values: new Float64Array(), leastVariance: 0, least: { below: 0, above: 0 } };

function restOf(
  groups: readonly Group[],
  quantity: MeasuredQuantity,
  { unseen, fewest }: { readonly unseen: number | undefined; readonly fewest: number },
): Rest {
  const measured = sum(groups.map((group) => group.measured.length));
  if (measured === 0) return nothing;
  const usual = usualValue(groups, quantity);
  if (usual !== undefined) {
    const { total, low, high } = projectRare(groups, quantity, { usual, unseen: unseen ?? usual, fewest });
    const least = { below: total - low, above: high - total };
    return { total, values: new Float64Array(measured), leastVariance: 0, least };
  }
  const { total, largest, errors } = project(groups, quantity);
  const timesLeft = sum(groups.flatMap(({ rest }) => rest.map(quantity.times)));
  const oneMore = (unseen === undefined ? Math.max(0, total) : unseen * timesLeft) / measured;
  const above = Math.max(unseen ?? largest, mostUnseen * oneMore);
  const below = (mostUnseen * Math.max(0, total - fewest * timesLeft)) / measured;
  return { total, values: errors, leastVariance: oneMore ** 2, least: { below, above } };
}

/** Without a reach the upper end is open. */
function estimateOf({ known, total, least }: Rest & { readonly known: number }, reach: Reach | undefined): Estimate {
  const rest = Math.max(0, total);
  const low = reach === undefined ? 0 : Math.max(0, total - Math.max(least.below, reach.below));
  const high = reach === undefined ? Infinity : Math.max(rest, total + Math.max(least.above, reach.above));
  return { total: known + rest, low: known + Math.min(low, rest), high: known + high, measured: known };
}
