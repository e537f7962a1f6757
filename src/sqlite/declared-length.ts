import { foldName } from "./identifiers.ts";

/**
 * How many characters a column is declared to hold, by its type (`VARCHAR(100)`: SQLite does not enforce it) or by a check
 * that says nothing else (`CHECK (length(summary) <= 500)`, also with `summary IS NULL OR` before it). Undefined without.
 */
export function declaredLength(column: string, declaredType: string, tableSQL: string): number | undefined {
  const [, ofType] = /CHAR[^(]*\(\s*(\d+)\s*\)/i.exec(declaredType) ?? [];
  const lengths = ofType === undefined ? [] : [Number(ofType)];
  for (const [, nullable, checked = "", operator, limit] of tableSQL.matchAll(lengthCheck)) {
    if (foldName(unquote(checked)) !== foldName(column)) continue;
    if (nullable !== undefined && foldName(unquote(nullable)) !== foldName(column)) continue;
    lengths.push(Number(limit) - (operator === "<" ? 1 : 0));
  }
  return lengths.length === 0 ? undefined : Math.min(...lengths);
}

/** True if the column is declared as JSON: by its type, or by a check that says nothing else (`CHECK (json_valid(tags))`, also with `tags IS NULL OR` before it). */
export function isDeclaredJSON(column: string, declaredType: string, tableSQL: string): boolean {
  if (/JSON/i.test(declaredType)) return true;
  for (const [, nullable, checked = ""] of tableSQL.matchAll(jsonCheck)) {
    if (foldName(unquote(checked)) !== foldName(column)) continue;
    if (nullable === undefined || foldName(unquote(nullable)) === foldName(column)) return true;
  }
  return false;
}

const name = String.raw`("(?:[^"]|"")+"|\x60(?:[^\x60]|\x60\x60)+\x60|\[[^\]]+\]|[\w$\u0080-\uffff]+)`;
const lengthCheck = new RegExp(
  String.raw`CHECK\s*\(\s*(?:${name}\s+IS\s+NULL\s+OR\s+)?length\s*\(\s*${name}\s*\)\s*(<=?)\s*(\d+)\s*\)`,
  "gi",
);

const jsonCheck = new RegExp(
  String.raw`CHECK\s*\(\s*(?:${name}\s+IS\s+NULL\s+OR\s+)?json_valid\s*\(\s*${name}\s*\)\s*\)`,
  "gi",
);

function unquote(text: string): string {
  if (text.startsWith('"')) return text.slice(1, -1).replaceAll('""', '"');
  if (text.startsWith("`")) return text.slice(1, -1).replaceAll("``", "`");
  return text.startsWith("[") ? text.slice(1, -1) : text;
}
