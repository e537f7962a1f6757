import { describeType } from "../errors/describe-type.ts";
import { decimalText, roundTo, toDecimal } from "./decimal-text.ts";
import { type Fit, fits, violation } from "./fit.ts";

/** True and false, 1 and 0, and the texts of them. `type` has its article: `a BIT`. */
export function fitBit(type: string): Fit {
  return (value) => {
    if (typeof value === "boolean") return fits(value);
    const text = typeof value === "string" ? value.trim().toLowerCase() : "";
    if (text === "true" || text === "false") return fits(text === "true");
    const decimal = toDecimal(value);
    const whole = decimal === undefined ? undefined : roundTo(decimal, 0);
    if (decimal !== undefined && (whole === 0n || whole === 1n) && isWhole(decimal, whole)) return fits(whole === 1n);
    return violation(`the column is ${type}: expected true or false, got ${describe(value)}`, "must be true or false");
  };
}

const wholeNumber = "must be a whole number";

/** A whole number from `lowest` to `highest`, both included. */
export function fitWhole(type: string, lowest: bigint, highest: bigint): Fit {
  return (value) => {
    const decimal = toDecimal(value);
    if (decimal === undefined)
      return violation(`the column is ${type}: expected a whole number, got ${describe(value)}`, wholeNumber);
    const whole = roundTo(decimal, 0);
    if (!isWhole(decimal, whole)) {
      return violation(
        `the column is ${type}: expected a whole number, got one with decimals; round it in the columnMap`,
        wholeNumber,
      );
    }
    if (whole < lowest || whole > highest) {
      const range = `a number from ${lowest} to ${highest}`;
      return violation(`the column is ${type}: expected ${range}, got one beyond`, `must be ${range}`);
    }
    return fits(highest > Number.MAX_SAFE_INTEGER ? String(whole) : Number(whole));
  };
}

/** An exact number of at most `precision` digits; decimals beyond `scale` are rounded, half away from zero. */
export function fitDecimal(type: string, precision: number, scale: number): Fit {
  const limit = 10n ** BigInt(precision);
  return fitScaled(type, scale, -limit + 1n, limit - 1n);
}

/** MONEY and SMALLMONEY: a whole number of ten-thousandths, of 64 or 32 bits. */
export function fitMoney(type: string, bits: 32 | 64): Fit {
  const limit = 2n ** BigInt(bits - 1);
  return fitScaled(type, 4, -limit, limit - 1n);
}

function fitScaled(type: string, scale: number, lowest: bigint, highest: bigint): Fit {
  return (value) => {
    const decimal = toDecimal(value);
    if (decimal === undefined)
      return violation(`the column is ${type}: expected a number, got ${describe(value)}`, "must be a number");
    const unscaled = roundTo(decimal, scale);
    // The driver writes decimals by way of a JavaScript number, which is not exact: text is.
    if (unscaled >= lowest && unscaled <= highest) return fits(decimalText(unscaled, scale));
    const range = `a number from ${decimalText(lowest, scale)} to ${decimalText(highest, scale)}`;
    return violation(`the column is ${type}: expected ${range}, got one beyond`, `must be ${range}`);
  };
}

const smallestFloat = 2.2250738585072014e-308;
const smallestReal = 2 ** -126;

/** FLOAT and REAL: the nearest number that the column has; what is nearer to zero than its smallest is zero. */
export function fitFloat(type: "FLOAT" | "REAL"): Fit {
  const [round, smallest] =
    type === "REAL" ? ([Math.fround, smallestReal] as const) : ([(number: number) => number, smallestFloat] as const);
  const largest = type === "REAL" ? "3.4e38" : "1.79e308";
  return (value) => {
    if (typeof value !== "number" && toDecimal(value) === undefined) {
      return violation(`the column is ${type}: expected a number, got ${describe(value)}`, "must be a number");
    }
    const number = round(Number(value));
    if (!Number.isFinite(number)) {
      const demand = `must be a number from -${largest} to ${largest}`;
      return violation(`the column is ${type}: expected a finite number in its range, got ${describe(value)}`, demand);
    }
    return fits(Math.abs(number) < smallest ? 0 : number);
  };
}

const numeral = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** A number of any size; its text is kept as it is. */
export function fitNumeric(declaration: string): Fit {
  return (value) => {
    const text = String(typeof value === "boolean" ? Number(value) : value).trim();
    const isNumber = typeof value === "string" ? numeral.test(text) : toDecimal(value) !== undefined;
    if (isNumber) return fits(text);
    return violation(`the column is ${declaration}: expected a number, got ${describe(value)}`, "must be a number");
  };
}

/** A floating-point number, or one of those that are none: the nearest that the column has is the server's to find. */
export function fitFloating(declaration: string, isSingle: boolean): Fit {
  const fit = fitNumeric(declaration);
  return notFinite((value) => {
    const fitted = fit(value);
    if (!fitted.ok) return fitted;
    const number = isSingle ? Math.fround(Number(fitted.value)) : Number(fitted.value);
    if (Number.isFinite(number)) return fits(number === 0 ? "0" : fitted.value);
    return violation(
      `the column is ${declaration}: expected a number in its range, got one beyond`,
      "must be a smaller number",
    );
  });
}

/** Takes NaN and the infinities, too. */
export function notFinite(fit: Fit): Fit {
  return (value) => (/^(?:NaN|-?Infinity)$/.test(String(value)) ? fits(String(value)) : fit(value));
}

function isWhole({ unscaled, scale }: { readonly unscaled: bigint; readonly scale: number }, whole: bigint): boolean {
  return unscaled === whole * 10n ** BigInt(scale);
}

function describe(value: unknown): string {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : describeType(value);
}

/** The numbers of a decimal type, unless a JSON number does not hold their digits exactly. */
export function decimalLimit(
  precision: number,
  scale: number,
): { readonly minimum?: number; readonly maximum?: number } {
  if (precision > 15) return {};
  const maximum = Number(decimalText(10n ** BigInt(precision) - 1n, scale));
  return { minimum: -maximum, maximum };
}
