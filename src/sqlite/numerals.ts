/** Decimals of a text as SQLite reads it: spaces around it, a sign, digits with a point, an exponent. Linear in the text's length. */
const numeral = /^[ \t\n\v\f\r]*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?[ \t\n\v\f\r]*$/i;
const wholeNumeral = /^[ \t\n\v\f\r]*[+-]?\d+[ \t\n\v\f\r]*$/;
/** A number as people write it, with one form only but for zeros at the end of its fraction. */
const plainDecimal = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
/** More characters than any number that is stored exactly has in plain decimal digits: 2^63, and the smallest double. */
const longestWhole = 20;
const longestExact = 400;

/** True for a text that a column of INTEGER, REAL or NUMERIC affinity stores as a number. SQLite reads up to a NUL. */
export function isNumeral(text: string): boolean {
  // The first character decides for nearly every text.
  if (!mayBeginNumeral(text.charCodeAt(0))) return false;
  const end = text.indexOf("\0");
  return numeral.test(end === -1 ? text : text.slice(0, end));
}

function mayBeginNumeral(code: number): boolean {
  return (
    (code >= 48 && code <= 57) || code === 43 || code === 45 || code === 46 || code === 32 || (code >= 9 && code <= 13)
  );
}

/**
 * The number that a numeral spells, as SQLite stores it: a bigint where it is whole and has at most 64 bits.
 * `keepsWhole`: the column holds such a bigint exactly, unlike one of REAL affinity.
 */
export function numberOf(text: string, keepsWhole: boolean): number | bigint {
  const end = text.indexOf("\0");
  const digits = (end === -1 ? text : text.slice(0, end)).trim();
  if (keepsWhole && wholeNumeral.test(digits)) {
    const significant = digits.replace(/^([+-]?)0+(?=\d)/, "$1");
    const whole = significant.length > longestWhole + 1 ? undefined : BigInt(significant.replace(/^\+/, ""));
    if (whole !== undefined && BigInt.asIntN(64, whole) === whole) return whole;
  }
  return Number(digits);
}

/** The reason why a numeral is another text once it is stored as `number` and written in plain decimal digits. */
export type Change = "form" | "digits";

/**
 * How the text of a numeral differs from the number that it is stored as, written in plain decimal digits: in its `form` alone (a plus, an
 * exponent, spaces, a bare point), or in `digits` (leading zeros, a sign of zero, digits that are lost; in a key also zeros at the end of a
 * fraction). Undefined where it does not: "1", "-3", "1.50".
 */
export function changeOf(text: string, number: number | bigint, isKey: boolean): Change | undefined {
  if (!plainDecimal.test(text)) return /^[^1-9.eE]*0\d/.test(text) || text.includes("\0") ? "digits" : "form";
  const wanted = isKey ? text : withoutEndingZeros(text);
  if (wanted.length > longestExact) return "digits";
  // Wholes of more than 64 bits are stored as REAL, and shown with 15 to 17 digits.
  if (typeof number === "number" && !wanted.includes(".") && Math.abs(number) >= 2 ** 63) return "digits";
  return plainText(number) === wanted ? undefined : "digits";
}

function withoutEndingZeros(text: string): string {
  if (!text.includes(".")) return text;
  let end = text.length;
  while (text[end - 1] === "0") end -= 1;
  return text.slice(0, text[end - 1] === "." ? end - 1 : end);
}

/** The shortest decimal digits that give the number back, without an exponent. */
function plainText(number: number | bigint): string {
  const text = String(number);
  const [, sign = "", whole = "", fraction = "", exponent] = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? [];
  if (exponent === undefined) return text;
  const places = Number(exponent);
  if (places < 0) return `${sign}0.${"0".repeat(-places - 1)}${whole}${fraction}`;
  return `${sign}${whole}${fraction.padEnd(places, "0")}`;
}
