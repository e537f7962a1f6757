import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { describeType } from "../errors/describe-type.ts";
import { toJSONValue } from "../json/json.ts";
import type { Fitted } from "../table/dialect.ts";
import { changeOf, isNumeral, numberOf } from "./numerals.ts";

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

/** Makes a plain object of a row's values: an INTEGER is a number, or a bigint where a number is not exact; a BLOB is a Buffer. */
export function rowMaker(columns: readonly string[]): (values: readonly SQLOutputValue[]) => Record<string, unknown> {
  const empty = Object.fromEntries(columns.map((column) => [column, null])); // has a column named __proto__, too
  return (values) => {
    const raw: Record<string, unknown> = { ...empty };
    for (const [index, column] of columns.entries()) raw[column] = fieldOf(values[index]);
    return raw;
  };
}

function fieldOf(value: SQLOutputValue | undefined): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

/** The types that a STRICT table or a rowid holds its column to. */
export type EnforcedType = "INTEGER" | "REAL" | "TEXT" | "BLOB";

/** The type that a column prefers: it decides which values are stored as others. */
export type Affinity = "INTEGER" | "TEXT" | "BLOB" | "REAL" | "NUMERIC";

/** How a column stores values, as far as the table's definition tells. */
export interface Storage {
  readonly affinity: Affinity;
  readonly enforcedType: EnforcedType | undefined;
  /** No two rows share its values, alone or with those of other columns. */
  readonly isKey: boolean;
  /** It is declared as JSON. */
  readonly isJSON: boolean;
  /** A text that spells a number becomes that number also where its digits change. */
  readonly coerces: boolean;
}

/** The value as it is bound, or why the column can't hold it as it is. */
export function fitValue(value: unknown, column: Storage): Fitted<SQLInputValue> {
  const { affinity, enforcedType } = column;
  if (typeof value === "string") {
    // Nearly every value: a text is all that most columns take, and the checks below cost as much as the rest of a row.
    if (affinity === "TEXT" && value.isWellFormed()) return { ok: true, value };
    if (affinity !== "TEXT" && affinity !== "BLOB" && isNumeral(value)) return fitNumeral(value, column);
  }
  if (column.isJSON && isJSONContainer(value)) return { ok: true, value: JSON.stringify(toJSONValue(value)) };
  const problem = bindingProblem(value);
  if (problem !== undefined) return { ok: false, problem: `SQLite can't hold ${problem}`, demand: demandOf(value) };
  if (enforcedType !== undefined && !holds(enforcedType, value)) return misfit(enforcedType, value);
  if (affinity === "TEXT" && typeof value === "number") return { ok: true, value: boundAsText(value) };
  if (affinity === "REAL" && typeof value === "bigint" && !column.coerces && BigInt(Number(value)) !== value) {
    const lost = "the column holds REAL, which would lose digits of this bigint";
    return { ok: false, problem: `${lost}; ${remedy}`, demand: null };
  }
  return { ok: true, value: toSQLiteValue(value) };
}

/** A text that the column stores as a number, bound as that number. */
function fitNumeral(text: string, { affinity, enforcedType, isKey, coerces }: Storage): Fitted<SQLInputValue> {
  const number = numberOf(text, affinity !== "REAL");
  if (enforcedType === "INTEGER" && !isWholeIn64Bits(number)) return misfit(enforcedType, text);
  if (coerces) return { ok: true, value: toSQLiteValue(number) };
  const change = changeOf(text, number, isKey);
  if (change === undefined) return { ok: true, value: toSQLiteValue(number) };
  const problem = `the column holds ${affinity}: this text would be stored as a number that is written in another way`;
  const demand = change === "form" ? "must be a number in plain decimal digits" : null;
  return { ok: false, problem: `${problem}; ${remedy}`, demand };
}

const remedy = "make it a TEXT column, or set coerce: true";

/** A text column would show a whole number beyond 2^53 as 9007199254740992.0, and others with 15 digits or 17. */
function boundAsText(number: number): SQLInputValue {
  const isExact = Number(number.toPrecision(15)) === number && !Number.isInteger(number);
  return isExact || Number.isSafeInteger(number) ? toSQLiteValue(number) : String(number);
}

/** An array, or an object that is no instance of a class of its own. */
function isJSONContainer(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || ("toJSON" in value && !(value instanceof Date));
}

function misfit(type: EnforcedType, value: unknown): Fitted<SQLInputValue> {
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

/** Asked of no numeral. SQLite converts a number into text before it looks at the type. */
function holds(type: EnforcedType, value: unknown): boolean {
  const isBytes = value instanceof Uint8Array;
  if (type === "BLOB") return isBytes;
  if (isBytes) return false;
  if (type === "TEXT" || typeof value === "bigint" || typeof value === "boolean") return true;
  if (typeof value !== "number") return false;
  return type === "REAL" || isWholeIn64Bits(value);
}

function isWholeIn64Bits(number: number | bigint): boolean {
  if (typeof number === "bigint") return BigInt.asIntN(64, number) === number;
  return Number.isInteger(number) && Math.abs(number) < 2 ** 63;
}

/** SQLite's own `length` counts code points; a declared length is not enforced, but what is longer is not meant to be there. */
export function overlongProblem(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== "string" || value.length <= maxLength) return undefined;
  const length = [...value].length;
  return length <= maxLength ? undefined : `must have at most ${maxLength} characters, got ${length}`;
}
