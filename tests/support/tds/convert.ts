import { collationOf, defaultCollation, encodeCodePage, throughCodePage } from "./collation.ts";
import { formatMoment, momentOfDate, parseMoment, roundMoment } from "./date-time.ts";
import { SQLError } from "./sql-error.ts";
import { describeType, family, isUnicode, type SQLType, textOf, type Value } from "./sql-type.ts";

/** Where the value goes: a column refuses what is too long, a CAST cuts it. */
export type TooLong = (value: string, length: number) => SQLError | undefined;

const integerRanges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  tinyint: [0n, 255n],
  smallint: [-32_768n, 32_767n],
  int: [-2_147_483_648n, 2_147_483_647n],
  bigint: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** The value as the type keeps it, or the error of a real server. */
export function convert(value: Value, from: SQLType, to: SQLType, tooLong?: TooLong): Value {
  if (value === null) return null;
  if (from.name === "sql_variant" && isVariant(value)) {
    return to.name === "sql_variant" ? value : convert(value.value, value.type, to, tooLong);
  }
  switch (family(to)) {
    case "number":
      return toNumber(value, from, to);
    case "float": {
      const number = typeof value === "string" ? Number(value.trim() === "" ? "0" : value) : Number(value);
      if (!Number.isFinite(number)) throw conversionError(from, to);
      return to.name === "real" ? Math.fround(number) : number;
    }
    case "text":
      return toText(value, from, to, tooLong);
    case "binary":
      return toBinary(value, from, to, tooLong);
    case "date":
      return toDate(value, from, to);
    case "guid": {
      const text = textOf(value)
        .trim()
        .toUpperCase()
        .replace(/^\{(.*)\}$/u, "$1");
      if (/^[0-9A-F]{8}-([0-9A-F]{4}-){3}[0-9A-F]{12}/u.test(text)) return text.slice(0, 36);
      throw new SQLError(8169, "Conversion failed when converting from a character string to uniqueidentifier.");
    }
    case "variant":
      return { type: from, value };
    case "udt":
      break;
  }
  if (Buffer.isBuffer(value)) return value;
  throw new SQLError(206, `Operand type clash: ${from.name} is incompatible with ${to.name}`);
}

/** A value as a test or JavaScript has it. */
export function fromJavaScript(value: unknown, to: SQLType, tooLong?: TooLong): Value {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return convert(formatMoment(momentOfDate(value), dateTime7), dateTime7, to, tooLong);
  if (value instanceof Uint8Array) return convert(Buffer.from(value), { name: "varbinary", length: -1 }, to, tooLong);
  if (typeof value === "string") return convert(value, { name: "nvarchar", length: -1 }, to, tooLong);
  if (typeof value === "boolean") return convert(value, { name: "bit" }, to, tooLong);
  if (typeof value === "bigint") return convert(value, { name: "bigint" }, to, tooLong);
  if (typeof value === "number")
    return convert(value, { name: Number.isInteger(value) ? "int" : "float" }, to, tooLong);
  throw new TypeError(`A cell cannot hold a value of type ${typeof value}`);
}

const dateTime7: SQLType = { name: "datetime2", scale: 7 };

export function isVariant(value: Value): value is { readonly type: SQLType; readonly value: Value } {
  return typeof value === "object" && value !== null && !Buffer.isBuffer(value);
}

function toNumber(value: Value, from: SQLType, to: SQLType): Value {
  const decimal = decimalOf(value, from, to);
  if (to.name === "bit") return decimal.unscaled !== 0n;
  const range = integerRanges[to.name];
  if (range !== undefined) {
    const whole = decimal.unscaled / 10n ** BigInt(decimal.scale);
    if (whole < range[0] || whole > range[1]) throw overflow(value, from, to);
    return to.name === "bigint" ? whole : Number(whole);
  }
  const money = to.name === "money" || to.name === "smallmoney";
  const scale = money ? 4 : (to.scale ?? 0);
  const unscaled = rescale(decimal, scale);
  const magnitude = unscaled < 0n ? -unscaled : unscaled;
  const limit =
    to.name === "money" ? 2n ** 63n : to.name === "smallmoney" ? 2n ** 31n : 10n ** BigInt(to.precision ?? 18);
  if (magnitude >= limit && !(money && unscaled === -limit)) throw overflow(value, from, to);
  return decimalText(unscaled, scale);
}

export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

function decimalOf(value: Value, from: SQLType, to: SQLType): Decimal {
  if (typeof value === "boolean") return { unscaled: value ? 1n : 0n, scale: 0 };
  if (typeof value === "bigint") return { unscaled: value, scale: 0 };
  if (typeof value === "number") return parseDecimal(toPlain(value)) ?? { unscaled: 0n, scale: 0 };
  if (typeof value !== "string") throw conversionError(from, to);
  if (family(from) === "number") return parseDecimal(value) ?? { unscaled: 0n, scale: 0 };
  const text = value.trim();
  if (to.name === "bit" && /^(true|false)$/iu.test(text)) return { unscaled: /^t/iu.test(text) ? 1n : 0n, scale: 0 };
  const decimal = parseDecimal(text);
  const whole = to.name === "bit" || integerRanges[to.name] !== undefined;
  if (family(from) !== "text") throw conversionError(from, to);
  if (decimal === undefined || (whole && decimal.scale > 0)) {
    if (text === "" && whole) return { unscaled: 0n, scale: 0 };
    if (!whole || to.name === "bigint") throw conversionError(from, to);
    const message = `Conversion failed when converting the ${from.name} value '${value}' to data type ${to.name}.`;
    throw new SQLError(245, message);
  }
  return decimal;
}

function toPlain(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  return Number.isInteger(value) ? BigInt(value).toString() : value.toFixed(20);
}

export function parseDecimal(text: string): Decimal | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/u.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  const unscaled = BigInt(whole + fraction);
  return { unscaled: sign === "-" ? -unscaled : unscaled, scale: fraction.length };
}

/** Rounds half away from zero, as SQL Server does. */
export function rescale({ unscaled, scale }: Decimal, to: number): bigint {
  if (scale <= to) return unscaled * 10n ** BigInt(to - scale);
  const divisor = 10n ** BigInt(scale - to);
  const half = divisor / 2n;
  return (unscaled + (unscaled < 0n ? -half : half)) / divisor;
}

export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

function toText(value: Value, from: SQLType, to: SQLType, tooLong?: TooLong): string {
  if (Buffer.isBuffer(value)) throw implicitError(from, to);
  let text = typeof value === "boolean" ? (value ? "1" : "0") : textOf(value);
  if (family(from) === "float") text = String(Number(Number(value).toPrecision(6)));
  const collation = collationOf(to.collation ?? defaultCollation);
  if (!isUnicode(to)) text = throughCodePage(text, collation);
  const { length = -1 } = to;
  if (length === -1) return text;
  const size = (candidate: string) => (isUnicode(to) ? candidate.length : encodeCodePage(candidate, collation).length);
  if (size(text) > length) {
    const trimmed = text.replace(/ +$/u, "");
    const error = size(trimmed) > length ? tooLong?.(text.slice(0, length), text.length) : undefined;
    if (error !== undefined) throw error;
    text = text.slice(0, length);
    while (size(text) > length) text = text.slice(0, -1);
  }
  return to.name === "char" || to.name === "nchar" ? text + " ".repeat(length - size(text)) : text;
}

function toBinary(value: Value, from: SQLType, to: SQLType, tooLong?: TooLong): Buffer {
  if (!Buffer.isBuffer(value)) throw implicitError(from, to);
  const { length = -1 } = to;
  if (length === -1) return value;
  if (value.length > length) {
    const error = tooLong?.("", value.length);
    if (error !== undefined) throw error;
  }
  const cut = value.subarray(0, length);
  return to.name === "binary" ? Buffer.concat([cut], length) : cut;
}

function toDate(value: Value, from: SQLType, to: SQLType): string {
  if (typeof value !== "string" || (family(from) !== "text" && family(from) !== "date")) throw implicitError(from, to);
  const parsed = parseMoment(value);
  const legacy = to.name === "datetime" || to.name === "smalldatetime";
  const unfit = legacy && family(from) === "text" && ((parsed?.digits ?? 0) > 3 || /[+-]\d\d:\d\d$/u.test(value));
  if (parsed === undefined || unfit) {
    throw new SQLError(241, "Conversion failed when converting date and/or time from character string.");
  }
  const rounded = roundMoment(parsed, to);
  if (rounded === undefined) {
    const message = `The conversion of a ${from.name} data type to a ${to.name} data type resulted in an out-of-range value.`;
    throw new SQLError(242, message);
  }
  return formatMoment(rounded, to);
}

function overflow(value: Value, from: SQLType, to: SQLType): SQLError {
  const shown = from.name === "int" || from.name === "smallint";
  if (shown && (to.name === "tinyint" || to.name === "smallint")) {
    return new SQLError(220, `Arithmetic overflow error for data type ${to.name}, value = ${textOf(value)}.`);
  }
  if (family(from) === "text" && to.name === "int") {
    return new SQLError(248, `The conversion of the ${from.name} value '${textOf(value)}' overflowed an int column.`);
  }
  const name = to.name === "decimal" ? "numeric" : to.name;
  return new SQLError(8115, `Arithmetic overflow error converting ${from.name} to data type ${name}.`);
}

const conversionError = (from: SQLType, to: SQLType): SQLError =>
  new SQLError(8114, `Error converting data type ${from.name} to ${to.name === "decimal" ? "numeric" : to.name}.`);

const implicitError = (from: SQLType, to: SQLType): SQLError => {
  const route = `from data type ${from.name} to ${describeType(to)}`;
  return new SQLError(257, `Implicit conversion ${route} is not allowed. Use the CONVERT function to run this query.`);
};
