/** A number without loss: `unscaled` × 10^-`scale`. */
export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

const numeral = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i;
const longestNumeral = 2_100; // a float of JavaScript's has at most 325 digits, a decimal of a database's 1,000 on each side of its point
const largestExponent = 500;

/**
 * The number that a value is: a number as JavaScript would print it, a boolean as 0 or 1, text that spells one (`-1.5`,
 * `1e3`). Undefined if it is none.
 */
export function toDecimal(value: unknown): Decimal | undefined {
  if (typeof value === "bigint") return { unscaled: value, scale: 0 };
  if (typeof value === "boolean") return { unscaled: value ? 1n : 0n, scale: 0 };
  if (typeof value === "number") return Number.isFinite(value) ? parseDecimal(String(value)) : undefined;
  return typeof value === "string" ? parseDecimal(value.trim()) : undefined;
}

function parseDecimal(text: string): Decimal | undefined {
  if (text.length > longestNumeral) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = numeral.exec(text) ?? [];
  if (sign === undefined || whole + fraction === "") return undefined;
  const shift = Number(exponent);
  if (Math.abs(shift) > largestExponent) return undefined;
  const digits = BigInt(whole + fraction);
  const unscaled = sign === "-" ? -digits : digits;
  const scale = fraction.length - shift;
  return scale < 0 ? { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 } : { unscaled, scale };
}

/** The same number with that many decimals; what is cut off is rounded, half away from zero. */
export function roundTo({ unscaled, scale }: Decimal, decimals: number): bigint {
  if (scale <= decimals) return unscaled * 10n ** BigInt(decimals - scale);
  const divisor = 10n ** BigInt(scale - decimals);
  const half = unscaled < 0n ? -(divisor / 2n) : divisor / 2n;
  return (unscaled + half) / divisor;
}

/** Plain digits, as every server reads them: `-12.50`. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}
