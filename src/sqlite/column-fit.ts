import { kindOf } from "../errors/kind-of.ts";
import type { TableColumn } from "./table.ts";
import { bindingProblem } from "./values.ts";

/** What a value is refused by, as far as the table's definition tells; undefined if it fits. Holds no content. */
export function misfitOf(value: unknown, column: TableColumn, allowsNull: boolean): string | undefined {
  if (value === undefined || value === null) return allowsNull ? undefined : "the column is NOT NULL, got NULL";
  const problem = bindingProblem(value);
  if (problem !== undefined) return `SQLite can't hold ${problem}`;
  if (column.enforcedType === undefined || holds(column.enforcedType, value)) return undefined;
  return `the column holds ${column.enforcedType} only, got ${kindOf(value)}`;
}

const numeral = /^[ \t\n\v\f\r]*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[ \t\n\v\f\r]*$/i;
const wholeNumeral = /^\s*[+-]?\d+\s*$/;

/** SQLite converts a text that spells a number, and a number into text, before it looks at the type. */
function holds(type: NonNullable<TableColumn["enforcedType"]>, value: unknown): boolean {
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
