import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { toJSONValue } from "../json/json.ts";
import { kindOf } from "../errors/kind-of.ts";

/** Why SQLite can't hold the value as it is, without its content; undefined if it can. */
export function bindingProblem(value: unknown): string | undefined {
  if (value === undefined || value === null || typeof value === "boolean" || value instanceof Uint8Array)
    return undefined;
  if (typeof value === "string") {
    return value.isWellFormed() ? undefined : `${kindOf(value)} with half of a surrogate pair, which UTF-8 can't hold`;
  }
  if (typeof value === "number") return Number.isNaN(value) ? "NaN, which SQLite would store as NULL" : undefined;
  if (typeof value === "bigint")
    return BigInt.asIntN(64, value) === value ? undefined : "a bigint of more than 64 bits";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid date" : undefined;
  return kindOf(value);
}

/**
 * The value as it is bound: undefined as NULL, a boolean as 0 or 1, a date as ISO 8601 text.
 *
 * @throws {TypeError} for a value of a type that {@link bindingProblem} refuses
 */
export function toSQLiteValue(value: unknown): SQLInputValue {
  if (typeof value === "string" || typeof value === "bigint" || value === null) return value;
  // The driver binds every number as REAL: in a text column 5 would become '5.0'.
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (value === undefined) return null;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) return value.toISOString();
  throw new TypeError(`SQLite can't hold ${kindOf(value)}`);
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

/** The value itself, cut: for a `detail`, never for a message. */
export function showValue(value: unknown): string {
  return (JSON.stringify(toJSONValue(value)) ?? kindOf(value)).slice(0, 80);
}
