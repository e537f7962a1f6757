export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1);
  return (low + high) / 2;
}

/** The median of one figure divided by another of the same repetition: what slows both down cancels out. */
export function medianRatio<One extends { readonly repetition: number }>(
  ones: readonly One[],
  others: readonly One[],
  figure: (one: One) => number,
): number {
  const ratios = ones.flatMap((one) => {
    const other = others.find(({ repetition }) => repetition === one.repetition);
    return other === undefined ? [] : [figure(one) / figure(other)];
  });
  return median(ratios);
}
