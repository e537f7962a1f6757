import type { ColumnValues, RowGroup } from "../contracts/sink.ts";

/** A group of its own for each row, as of a source that gives one target row each. */
export function groupsOf(rows: readonly ColumnValues[]): RowGroup[] {
  return rows.map((values, index) => ({ pk: `${index}`, rows: [values] }));
}
