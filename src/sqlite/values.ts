import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { describeType } from "../errors/describe-type.ts";
import type { Fitted } from "../table/dialect.ts";

/** Why SQLite can't hold the value as it is, without its content; undefined if it can. */
export function bindingProblem(value: unknown): string | undefined {
  if (value === undefined || value === null || typeof value === "boolean" || value instanceof Uint8Array)
    return undefined;
  if (typeof value === "string") {
    return value.isWellFormed()
      ? undefined
      : `${describeType(value)} with half of a surrogate pair, which UTF-8 can't hold`;
  }
  if (typeof value === "number") return Number.isNaN(value) ? "NaN, which SQLite would store as NULL" : undefined;
  if (typeof value === "bigint")
    return BigInt.asIntN(64, value) === value ? undefined : "a bigint of more than 64 bits";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid date" : undefined;
  return describeType(value);
}

/**
 * The value as it is bound: undefined as NULL, a boolean as 0 or 1, a date as ISO 8601 text.
 *
 * @throws {TypeError} for a value that {@link bindingProblem} finds fault with
 */
export function toSQLiteValue(value: unknown): SQLInputValue {
  if (typeof value === "string" || typeof value === "bigint" || value === null) return value;
  // The driver binds every number as REAL: in a text column 5 would become '5.0'.
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (value === undefined) return null;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) return value.toISOString();
  throw new TypeError(`SQLite can't hold ${describeType(value)}`);
}

/** The row as a plain object: an INTEGER is a number, or a bigint where a number is not exact; a BLOB is a Buffer. */
export function toRow(
  row: Readonly<Record<string, SQLOutputValue>>,
  columns: readonly string[],
): Record<string, unknown> {
  const raw: Record<string, unknown> = { ...row };
  for (const column of columns) {
    const value = row[column];
    if (typeof value === "bigint") {
      const number = Number(value);
      if (Number.isSafeInteger(number)) raw[column] = number;
    } else if (value instanceof Uint8Array) {
      raw[column] = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
  }
  return raw;
}

/** The types that a STRICT table or a rowid holds its column to. */
export type EnforcedType = "INTEGER" | "REAL" | "TEXT" | "BLOB";

/** The value as it is bound, or why the column can't hold it, as far as the table's definition tells. */
export function fitValue(value: unknown, type: EnforcedType | undefined): Fitted<SQLInputValue> {
  // Nearly every value: a text is all that most columns take, and the checks below cost as much as the rest of a row.
  if (typeof value === "string" && (type === undefined || type === "TEXT") && value.isWellFormed()) {
    return { ok: true, value };
  }
  const problem = bindingProblem(value);
  if (problem !== undefined) return { ok: false, problem: `SQLite can't hold ${problem}`, demand: demandOf(value) };
  if (type === undefined || holds(type, value)) return { ok: true, value: toSQLiteValue(value) };
  return { ok: false, problem: `the column holds ${type} only, got ${describeType(value)}`, demand: demands[type] };
}

/** No answer of a model has bytes. */
const demands: Readonly<Record<EnforcedType, string | null>> = {
  INTEGER: "must be a whole number of at most 64 bits",
  REAL: "must be a number",
  TEXT: null,
  BLOB: null,
};

function demandOf(value: unknown): string {
  if (typeof value === "string") return "must be text without half of a surrogate pair";
  return "must be a text, a number, true, false or null";
}

const numeral = /^[ \t\n\v\f\r]*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?[ \t\n\v\f\r]*$/i;
const wholeNumeral = /^\s*[+-]?\d+\s*$/;

/** SQLite converts a text that spells a number, and a number into text, before it looks at the type. */
function holds(type: EnforcedType, value: unknown): boolean {
  const isBytes = value instanceof Uint8Array;
  if (type === "BLOB") return isBytes;
  if (isBytes) return false;
  if (type === "TEXT" || typeof value === "bigint" || typeof value === "boolean") return true;
  if (value instanceof Date) return false;
  if (typeof value === "string" && !numeral.test(value)) return false;
  return type === "REAL" || isWholeIn64Bits(value);
}

function isWholeIn64Bits(value: unknown): boolean {
  if (typeof value === "string" && wholeNumeral.test(value)) {
    const whole = BigInt(value.trim().replace(/^\+/, ""));
    return BigInt.asIntN(64, whole) === whole;
  }
  const number = Number(value);
  return Number.isInteger(number) && Math.abs(number) < 2 ** 63;
}

/** SQLite's own `length` counts code points; a declared length is not enforced, but what is longer is not meant to be there. */
export function overlongProblem(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== "string" || value.length <= maxLength) return undefined;
  const length = [...value].length;
  return length <= maxLength ? undefined : `must have at most ${maxLength} characters, got ${length}`;
}
