import { toJSONValue } from "../json/json.ts";

/** The content of a cell. Numbers stay numbers, so that a spreadsheet takes no minus sign for a formula. */
export type Cell = string | number | bigint | null;

/**
 * Makes a cell of a value: booleans as true and false, dates as ISO 8601, bytes as base64, objects and arrays as JSON;
 * null and undefined are empty cells.
 */
export function toCell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "boolean") return String(value);
  const plain = toJSONValue(value); // text for dates and bytes
  return typeof plain === "string" ? plain : JSON.stringify(plain);
}
