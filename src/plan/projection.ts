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
  const { atZero, slope, widening } = fittedLine(groups, value);
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
    errors.push(...offsets.map((one) => (one - offset) * share * widening));
  }
  return { total, largest, errors: Float64Array.from(errors) };
}

interface Line {
  readonly atZero: number;
  readonly slope: number;
  /** The factor by which errors are larger than distances from a line that was fitted to the same units. */
  readonly widening: number;
}

/** The line by least squares. Each unit counts as many as it stands for, and errors are taken to grow with the size. */
function fittedLine(groups: readonly Group[], value: (unit: Unit) => number): Line {
  const points = groups.flatMap(({ measured, rest }) =>
    measured.map((unit) => ({ size: sizeOf(unit), value: value(unit), weight: 1 + rest.length / measured.length })),
  );
  const ones = sum(points.map(({ size, weight }) => weight / size ** 2));
  const sizes = sum(points.map(({ size, weight }) => weight / size));
  const weights = sum(points.map(({ weight }) => weight));
  const values = sum(points.map(({ size, value: one, weight }) => (weight * one) / size ** 2));
  const ratios = sum(points.map(({ size, value: one, weight }) => (weight * one) / size));
  const spread = ones * weights - sizes ** 2;
  if (points.length >= leastForLine && spread > 1e-9 * ones * weights) {
    const widening = Math.sqrt(points.length / (points.length - 2));
    return {
      atZero: (weights * values - sizes * ratios) / spread,
      slope: (ones * ratios - sizes * values) / spread,
      widening,
    };
  }
  const allValues = sum(points.map(({ value: one, weight }) => weight * one));
  const allSizes = sum(points.map(({ size, weight }) => weight * size));
  return {
    atZero: 0,
    slope: allSizes === 0 ? 0 : allValues / allSizes,
    widening: points.length < 2 ? 1 : Math.sqrt(points.length / (points.length - 1)),
  };
}
