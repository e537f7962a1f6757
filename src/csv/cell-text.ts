import { toJSONValue } from "../json/json.ts";

/** The content of a cell. Numbers stay numbers, so that a spreadsheet takes no minus sign for a formula. */
export type Cell = string | number | bigint | null;

/**
 * Makes a cell of a value: booleans as true and false, dates as ISO 8601, bytes as base64, objects and arrays as JSON;
 * null and undefined are empty cells. {@link problemOf} finds the values that have no text.
 */
export function toCell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "boolean") return String(value);
  const plain = toJSONValue(value); // text for dates and bytes
  return typeof plain === "string" ? plain : JSON.stringify(plain);
}

/** The reason that a UTF-8 text file can't hold a value, without its content; undefined if it can. */
export function problemOf(value: unknown): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") return `is a ${typeof value}, which has no text`;
  if (value instanceof Date && Number.isNaN(value.getTime())) return "is an invalid date";
  if (typeof value === "string" && !value.isWellFormed()) return "has half of a surrogate pair, which UTF-8 can't hold";
  if (typeof value === "number" && !Number.isFinite(value)) return `is ${value}, which is no number to read back`;
  if (typeof value !== "object" || value === null || !textless.some((kind) => value instanceof kind)) return undefined;
  return `is of the class ${value.constructor.name}, which has no text`;
}

/** JSON would silently make an empty object of these. */
const textless = [Map, Set, WeakMap, WeakSet, Error, RegExp, Promise, ArrayBuffer] as const;
