import type { GivenColumns, JournalDialect } from "./database.ts";
import { isLong, type Line } from "./tables.ts";

/** An array of values for each column of lines. One of long texts is JSON: drivers take their time to escape a text in an array. */
export function byColumn(
  columns: GivenColumns,
  lines: readonly Line[],
  toValue: JournalDialect["toValue"],
): (readonly unknown[] | string)[] {
  return columns.map(([name, kind]) => {
    const values = lines.map((line) => toValue(kind, line[name] ?? null));
    return isLong(kind) ? JSON.stringify(values) : values;
  });
}
