import { knownGrowth, unknownGrowth } from "./pace-growth.ts";
import type { MeasuredQuota } from "./saturation.ts";

/** A quota that was measured by so many calls is known well enough to tell when there is room again. */
export const wellKnownBy = 30;

/** A measurement by fewer calls lowers the pace to this share at most: between two windows a large quota looks tiny. */
const fewMeasured = 12;
const lowestShare = 0.25;

/** Measurements that differ by less than this share are of one quota. */
const sameShare = 0.1;

/** No quota counts as known by more calls: a service may change it. */
const mostKnown = 500;

/** A quota as far as it is known. */
export interface QuotaBelief {
  /** Tokens a second: the quota, or the lowest pace that was too much. Infinity before the first one. */
  readonly rate: number;
  /** The accepted calls that it was measured by; 0 where it was not measured. */
  readonly knownBy: number;
  /** The growth of a pace near it, with each round. */
  readonly growth: number;
}

/** A quota that was not measured: that pace was too much. */
export function unmeasured(rate: number, growth: number = unknownGrowth): QuotaBelief {
  return { rate, knownBy: 0, growth };
}

/** The belief after a measurement at that pace: the better a quota is known, the slower the pace grows beyond it. */
export function believed(before: QuotaBelief, { rate: measured, count }: MeasuredQuota, pace: number): QuotaBelief {
  const isLittle = count < fewMeasured && pace !== Infinity;
  const rate = isLittle ? Math.max(measured, lowestShare * pace) : measured;
  const isSame = before.knownBy > 0 && Math.abs(rate - before.rate) < sameShare * before.rate;
  const knownBy = isSame ? Math.min(mostKnown, count + before.knownBy) : count;
  const mean = isSame ? (rate * count + before.rate * before.knownBy) / (count + before.knownBy) : rate;
  return { rate: mean, knownBy, growth: knownGrowth(knownBy) };
}
