import type { Group } from "./measured-groups.ts";
import type { MeasuredQuantity } from "./projection.ts";
import { sum } from "./sample.ts";

/** The place that a normal value exceeds in 2.5 % of cases: the ends of a 95 % interval. */
const z = 1.96;

/** The end of the 95 % interval of a Poisson count of 0: where none of n units is of a kind, up to 3.69 / n of all may be. */
export const mostUnseen = 3.69;

/** Fewer units than this with another value than the usual one are rare events: too few for a bootstrap. */
const fewUnusual = 20;

export interface Interval {
  readonly total: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The value that nearly all measured units share, undefined where there is none: fewer than 20 of them, and less than half,
 * have another.
 */
export function usualValue(groups: readonly Group[], { value }: MeasuredQuantity): number | undefined {
  const values = groups.flatMap(({ measured }) => measured.map((unit) => value(unit)));
  let most: readonly number[] = [];
  for (const alike of Map.groupBy(values, (one) => one).values()) if (alike.length > most.length) most = alike;
  const unusual = values.length - most.length;
  return unusual < fewUnusual && unusual < values.length / 2 ? most[0] : undefined;
}

/**
 * The total over the units that were not measured of a quantity that is `usual` for nearly all units: of calls that are
 * seldom repeated, of failures. More than the usual and less are counted apart, as rare events.
 *
 * @param unseen What a unit has, beyond the usual value, of a kind that was not in the sample.
 * @param fewest What a unit has at least: of a kind that was not in the sample it may have no more.
 */
export function projectRare(
  groups: readonly Group[],
  { value, times }: MeasuredQuantity,
  { usual, unseen, fewest }: { readonly usual: number; readonly unseen: number; readonly fewest: number },
): Interval {
  const events = groups.flatMap(({ measured, rest }) =>
    measured.map((unit) => ({ more: times(unit) * (value(unit) - usual), others: rest.length / measured.length })),
  );
  const timesLeft = sum(groups.flatMap(({ rest }) => rest.map(times)));
  const missedOf = (size: number): Missed => ({ size, total: (timesLeft / events.length) * size });
  const more = rareEvents(
    events.filter((event) => event.more > 0),
    missedOf(unseen),
  );
  const less = rareEvents(
    events.filter((event) => event.more < 0),
    missedOf(Math.max(0, usual - fewest)),
  );
  const total = usual * timesLeft + more.total - less.total;
  // The two are independent: Zou and Donner, Construction of confidence limits about effect measures, Statistics in Medicine 27 (2008).
  return {
    total,
    low: total - Math.hypot(more.total - more.low, less.high - less.total),
    high: total + Math.hypot(more.high - more.total, less.total - less.low),
  };
}

/** One more event in the sample: its size, and what it would have stood for. */
interface Missed {
  readonly size: number;
  readonly total: number;
}

/** An event that was seen, and the number of units that were not measured for which its unit stands. */
interface Event {
  readonly more: number;
  readonly others: number;
}

/**
 * The total of rare events among the units that were not measured, as a sum of Poisson counts with weights. The interval ends
 * at whole events: where few units are left it is none, or one, or two.
 *
 * Source: Fay and Feuer, Confidence intervals for directly standardized rates, Statistics in Medicine 16 (1997).
 */
function rareEvents(seen: readonly Event[], missed: Missed): Interval {
  const total = sum(seen.map(({ more, others }) => Math.abs(more) * others));
  const variance = sum(seen.map(({ more, others }) => more ** 2 * others * (1 + others)));
  const low = gammaQuantile(total, variance, -z);
  const high = gammaQuantile(total + missed.total, variance + missed.total ** 2, z);
  const step = seen.length === 0 ? missed.size : Math.min(...seen.map(({ more }) => Math.abs(more)));
  if (step === 0) return { total, low, high };
  return { total, low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step };
}

/** A quantile of the gamma distribution by that of the normal one, as Wilson and Hilferty do: right to within 2 % of the mean. */
function gammaQuantile(mean: number, variance: number, normal: number): number {
  if (mean === 0 || variance === 0) return mean;
  const shape = mean ** 2 / variance;
  return mean * Math.max(0, 1 - 1 / (9 * shape) + normal / (3 * Math.sqrt(shape))) ** 3;
}
