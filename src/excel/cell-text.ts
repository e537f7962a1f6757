import { textProblem } from "../data-file/text-problem.ts";
import { toJSONValue } from "../json/json.ts";
import { serialOfDate } from "./dates.ts";
import { maxCellCharacters } from "./faults.ts";

/** Excel shows and keeps this many digits of a number. */
const keptDigits = 15;

/** A value as a cell holds it: null for an empty cell. */
export type CellContent = string | number | boolean | Date | null;

/**
 * Makes a cell of a value: objects and arrays are JSON, bytes base64, and a bigint of more digits than Excel keeps is text; null and undefined are
 * empty cells.
 */
export function contentOf(value: unknown): CellContent {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (value instanceof Date) return value;
  if (typeof value === "bigint") {
    const digits = String(value);
    return digits.replace("-", "").length > keptDigits ? digits : Number(value);
  }
  const plain = toJSONValue(value); // text for bytes
  return typeof plain === "string" ? plain : JSON.stringify(plain);
}

/** The reason that a cell can't hold a value, without its content; undefined if it can. */
export function cellProblem(value: unknown): string | undefined {
  const problem = textProblem(value);
  if (problem !== undefined) return problem;
  const content = contentOf(value);
  if (content instanceof Date) {
    return serialOfDate(content) === undefined
      ? "is a date before 1900 or after 9999, which no cell holds: give it as text"
      : undefined;
  }
  if (typeof content !== "string" || content.length <= maxCellCharacters) return undefined;
  return `has ${content.length} characters, and a cell holds ${maxCellCharacters}`;
}
