import { checkOptions, isName, isOneOf } from "../../errors/options.ts";
import { columnChecks, type ColumnChanges } from "../../table/column-changes.ts";

/** A column of the type ROWVERSION: the server gives it a greater value with each change of a row. */
export interface RowversionChanges {
  readonly by: "rowversion";
  /**
   * A result column of the query, of the type ROWVERSION (or TIMESTAMP, its older name) of a table in the connection's database. An index on it
   * makes a run cost what changed. Rows in which it is NULL are read by each run.
   */
  readonly column: string;
}

/** How changed rows are told: by a column that is set with each change, or by one that the server itself sets. */
export type SQLServerChanges = ColumnChanges | RowversionChanges;

/** @throws {OptionError} for an option that is unknown or has a wrong value */
export function checkChanges(owner: string, changes: SQLServerChanges): void {
  const by = isOneOf("column", "rowversion");
  if (changes.by === "rowversion") {
    checkOptions<RowversionChanges>(`${owner}: changes`, changes, { by, column: isName });
  } else checkOptions<ColumnChanges>(`${owner}: changes`, changes, { ...columnChecks, by });
}
