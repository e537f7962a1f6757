import type { GivenColumns, JournalDialect } from "./database.ts";
import { isBytes, isLong, type Line } from "./tables.ts";

/**
 * An array of values for each column of lines. One of long texts is JSON, and one in which nothing is to be escaped is the array's text: drivers
 * take their time to escape the texts in an array.
 */
export function byColumn(
  columns: GivenColumns,
  lines: readonly Line[],
  toValue: JournalDialect["toValue"],
): (readonly unknown[] | string)[] {
  return columns.map(([name, kind]) => {
    if (isBytes(kind)) return arrayText(lines, (line) => `"\\\\x${line[name]}"`, name);
    if (kind === "whole") return arrayText(lines, (line) => line[name], name);
    const values = lines.map((line) => toValue(kind, line[name] ?? null));
    return isLong(kind) ? JSON.stringify(values) : values;
  });
}

function arrayText(lines: readonly Line[], textOf: (line: Line) => unknown, name: string): string {
  return `{${lines.map((line) => ((line[name] ?? null) === null ? "NULL" : textOf(line))).join(",")}}`;
}
