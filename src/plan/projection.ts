import type { Group } from "./measured-groups.ts";
import { sizeOf, sum, type Unit } from "./sample.ts";

/** One quantity of a unit. */
export interface MeasuredQuantity {
  readonly value: (unit: Unit) => number;
  /** How often the unit has it: once, or once a row. */
  readonly times: (unit: Unit) => number;
}

/** The estimate of a quantity over the units that were not measured, and the errors of which its interval is made. */
export interface Projection {
  readonly total: number;
  /** The most that is expected of one of them. */
  readonly largest: number;
  /** One error of each measured unit, group by group: what it adds to the error of the total. They sum to zero in a group. */
  readonly errors: Float64Array;
}

/** A line needs so many measured units; fewer give a ratio to the size. */
const leastForLine = 10;

/**
 * Projects a quantity to the units that were not measured: by a line over the size, which is fitted to the measured units of
 * all groups, and by what the measured units of each group are off that line on average.
 *
 * For a quantity that grows with the size the line is the ratio to the size, for one that does not it is the mean. The averages
 * of the groups take up what no line explains: the total is right on average whatever the quantity.
 *
 * Source: the generalized regression estimator, Särndal, Swensson and Wretman, Model Assisted Survey Sampling (1992),
 * chapters 6 and 7 (the ratio); the variance in strata, Cochran, Sampling Techniques (1977), chapters 5 and 7.
 */
export function project(groups: readonly Group[], { value, times }: MeasuredQuantity): Projection {
  const { atZero, slope } = fittedLine(groups, value);
  const lineOf = (unit: Unit): number => atZero + slope * sizeOf(unit);
  const errors: number[] = [];
  let total = 0;
  let largest = 0;
  for (const { measured, rest } of groups) {
    const offsets = measured.map((unit) => times(unit) * (value(unit) - lineOf(unit)));
    const offset = sum(offsets) / measured.length;
    for (const unit of rest) {
      const expected = times(unit) * lineOf(unit) + offset;
      total += expected;
      largest = Math.max(largest, expected);
    }
    const share = Math.sqrt(((measured.length + rest.length) * rest.length) / measured.length ** 2);
    errors.push(...offsets.map((one) => (one - offset) * share));
  }
  return { total, largest, errors: Float64Array.from(errors) };
}

interface Line {
  readonly atZero: number;
  readonly slope: number;
}

/** The line by least squares over the measured units, whose errors are taken to grow with the size. */
function fittedLine(groups: readonly Group[], value: (unit: Unit) => number): Line {
  const points = groups.flatMap(({ measured }) =>
    measured.map((unit) => ({ size: sizeOf(unit), amount: value(unit) })),
  );
  const count = points.length;
  const perSquare = sum(points.map(({ size }) => 1 / size ** 2));
  const perSize = sum(points.map(({ size }) => 1 / size));
  const spread = perSquare * count - perSize ** 2;
  if (count >= leastForLine && spread > 1e-9 * perSquare * count) {
    const amounts = sum(points.map(({ size, amount }) => amount / size ** 2));
    const ratios = sum(points.map(({ size, amount }) => amount / size));
    const atZero = (count * amounts - perSize * ratios) / spread;
    const slope = (perSquare * ratios - perSize * amounts) / spread;
    return { atZero, slope };
  }
  const slope = sum(points.map(({ amount }) => amount)) / sum(points.map(({ size }) => size));
  return { atZero: 0, slope };
}
