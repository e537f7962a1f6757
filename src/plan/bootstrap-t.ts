/** The share of resamples beyond each end of a 95 % interval. */
const tail = 0.025;

/** Student's t at 97.5 % for 1, 2, 3… degrees of freedom: with so few the resamples know too little of the errors. */
export const studentT: readonly number[] = [
  12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
];

/** The errors of the estimate of one quantity. */
export interface Errors {
  /** One of each measured unit, the groups one after the other: in a group they sum to zero. */
  readonly values: Float64Array;
  /** Added to the variance of the sample and of each resample, so that one which happens to be all alike has some. */
  readonly leastVariance: number;
}

/** How far an interval reaches to each side of its estimate. */
export interface Reach {
  readonly below: number;
  readonly above: number;
}

/**
 * The reach of the 95 % interval of a sum of errors, by the bootstrap-t in groups: the errors of each group are drawn anew,
 * with replacement, and each new sum is divided by the deviation that its own draws give it. The quantiles of these take the
 * place of Student's t, and know how skewed the errors are. Below 16 degrees of freedom (errors less groups) the reach is never
 * shorter than Student's. All quantities are drawn together.
 *
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), 12.5; in strata: Davison and Hinkley, Bootstrap
 * Methods and their Application (1997), chapter 3.
 *
 * @param counts The number of errors of each group, two at least.
 */
export function bootstrapT(
  counts: readonly number[],
  quantities: readonly Errors[],
  { random, resamples }: { readonly random: () => number; readonly resamples: number },
): readonly Reach[] {
  const picks = new Uint32Array(counts.reduce((sum, count) => sum + count, 0));
  const pivots = quantities.map(() => new Float64Array(resamples));
  for (let resample = 0; resample < resamples; resample += 1) {
    drawInGroups(picks, counts, random);
    for (const [index, errors] of quantities.entries()) {
      const { sum, variance } = sumOf(picks, counts, errors);
      const pivot = pivots[index];
      if (pivot !== undefined) pivot[resample] = variance === 0 ? 0 : sum / Math.sqrt(variance);
    }
  }
  for (let place = 0; place < picks.length; place += 1) picks[place] = place;
  return quantities.map((errors, index) => {
    const sorted = pivots[index]?.toSorted() ?? new Float64Array();
    const deviation = Math.sqrt(sumOf(picks, counts, errors).variance);
    const from = Math.max(0, Math.floor(tail * (resamples + 1)) - 1);
    const least = studentT[picks.length - counts.length - 1] ?? 0;
    return {
      below: Math.max(least, sorted.at(-1 - from) ?? 0) * deviation,
      above: Math.max(least, -(sorted.at(from) ?? 0)) * deviation,
    };
  });
}

/** Fills `picks` with places of errors, those of each group from its own. */
function drawInGroups(picks: Uint32Array, counts: readonly number[], random: () => number): void {
  let from = 0;
  for (const count of counts) {
    for (let place = from; place < from + count; place += 1) picks[place] = from + Math.floor(random() * count);
    from += count;
  }
}

/** The sum of the picked errors and the variance of such a sum, estimated from them. */
function sumOf(
  picks: Uint32Array,
  counts: readonly number[],
  { values, leastVariance }: Errors,
): { readonly sum: number; readonly variance: number } {
  let sum = 0;
  let variance = leastVariance;
  let from = 0;
  for (const count of counts) {
    let total = 0;
    let squares = 0;
    for (let place = from; place < from + count; place += 1) {
      const error = values[picks[place] ?? 0] ?? 0;
      total += error;
      squares += error * error;
    }
    sum += total;
    variance += Math.max(0, (squares * count - total * total) / (count - 1));
    from += count;
  }
  return { sum, variance };
}
