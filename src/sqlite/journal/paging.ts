import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { Page, PageRequest } from "../../contracts/journal.ts";

export type Line = Readonly<Record<string, SQLOutputValue>>;

/** A page of lines, of which one more than its limit was asked for. The next one begins after the last line's `number`. */
export function pageOf<Item>(lines: readonly Line[], limit: number, toItem: (line: Line) => Item): Page<Item> {
  const shown = lines.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(toItem), next: lines.length > limit && last ? String(last["number"]) : null };
}

/** A page of the lines of a table, by their `number`: the newest first, or the oldest. */
export function pageFrom<Item>(
  database: DatabaseSync,
  {
    table,
    where = "1",
    values = [],
    order,
  }: {
    readonly table: string;
    readonly where?: string;
    readonly values?: readonly (string | number)[];
    readonly order: "newest" | "oldest";
  },
  { limit, from }: PageRequest,
  toItem: (line: Line) => Item,
): Page<Item> {
  const isOldest = order === "oldest";
  const start = isOldest ? 0 : Number.MAX_SAFE_INTEGER;
  const lines = database
    .prepare(
      `SELECT * FROM ${table} WHERE ${where} AND number ${isOldest ? ">" : "<"} ? ORDER BY number ${isOldest ? "ASC" : "DESC"} LIMIT ?`,
    )
    .all(...values, from === undefined ? start : Number(from), limit + 1);
  return pageOf(lines, limit, toItem);
}

/** Those of these terms that have a value, as a condition. */
export function conditionOf(terms: readonly (readonly [term: string, value: string | undefined])[]): {
  readonly where: string;
  readonly values: readonly string[];
} {
  const given = terms.flatMap(([term, value]) => (value === undefined ? [] : [[term, value] as const]));
  return { where: ["1", ...given.map(([term]) => term)].join(" AND "), values: given.map(([, value]) => value) };
}

/** Of a journal of an older version, which has no such table. */
export const emptyPage: Page<never> = { items: [], next: null };

export function textOrNull(value: SQLOutputValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}
