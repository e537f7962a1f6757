const billion = 1_000_000_000;

/**
 * A cost in billionths of its currency's unit, rounded up: sums of them are exact, and never less than what was spent. 64 bits hold 9 billion units.
 */
export function billionthsOf(cost: number): bigint {
  return BigInt(Math.ceil(withoutNoise(cost * billion)));
}

/** A limit in billionths, rounded down. */
export function limitInBillionths(limit: number): bigint {
  return BigInt(Math.floor(withoutNoise(limit * billion)));
}

/** Billionths as an amount of the currency. */
export function amountOf(billionths: bigint): number {
  return Number(billionths) / billion;
}

/** Without the digits that come from binary fractions: 0.29 is 290,000,000 billionths. */
function withoutNoise(billionths: number): number {
  return Number(billionths.toPrecision(15));
}
