import type { Table } from "mssql";
import type { Driver } from "../connect/driver.ts";
import type { StagedValue } from "./fit.ts";
import { quoteIdentifier } from "../identifiers.ts";
import type { TargetColumn } from "./target.ts";

/** Only this connection sees it, and no name of the user's stands in it. */
export const stagingTable = "#llm_etl_stage";

/** The column with the row's place in the batch. */
export const rowColumn = "r";

/**
 * Makes the staging table anew (a pooled connection may still have the last batch's), and says how deep the transaction is: more
 * than 1 would mean that a commit commits nothing.
 */
export function createStaging(columns: readonly TargetColumn[]): string {
  const cells = columns.map(({ stagedAs, type }) => `${quoteIdentifier(stagedAs)} ${type.staged} NULL`);
  const definition = [`${quoteIdentifier(rowColumn)} INT NOT NULL`, ...cells].join(", ");
  return [
    `DROP TABLE IF EXISTS ${stagingTable};`,
    `CREATE TABLE ${stagingTable} (${definition});`,
    "SELECT @@TRANCOUNT AS [depth];",
  ].join("\n");
}

/** The rows for the bulk load, each with its place first. */
export function stagingRows(
  driver: Driver,
  columns: readonly TargetColumn[],
  rows: readonly (readonly StagedValue[])[],
): Table {
  const table = new driver.Table(stagingTable);
  table.create = false;
  table.columns.add(rowColumn, driver.Int(), { nullable: false });
  for (const { stagedAs, type } of columns) table.columns.add(stagedAs, type.driverType(driver), { nullable: true });
  for (const [index, row] of rows.entries()) table.rows.add(index, ...row);
  return table;
}

/** The staged rows in the types of the target's columns, as a derived table. */
export function stagedRows(columns: readonly TargetColumn[]): string {
  const cells = columns.map(({ stagedAs, type }) => {
    const column = quoteIdentifier(stagedAs);
    return `${type.typed(column)} AS ${column}`;
  });
  return `(SELECT ${[quoteIdentifier(rowColumn), ...cells].join(", ")} FROM ${stagingTable})`;
}
