import type { Table } from "mssql";
import type { Driver } from "../connect/driver.ts";
import { depthQuery } from "../connect/transaction.ts";
import type { StagedRow, TargetColumn } from "../../table/dialect.ts";
import { quoteIdentifier } from "../identifiers.ts";
import type { SQLServerColumn } from "./column-type.ts";
import type { StagedValue } from "../../table/fit.ts";

type Columns = readonly TargetColumn<SQLServerColumn>[];

/** Only this connection sees it, and it has no name of the user's. */
export const stagingTable = "#llm_etl_stage";

/** The column with the row's place in the batch. */
export const rowColumn = "r";

/** The column with the cells of the target's column: no name of the user's. */
export function stagedName({ place }: Pick<TargetColumn<SQLServerColumn>, "place">): string {
  return `c${place}`;
}

/**
 * Makes the staging table anew (a pooled connection may still have the last batch's), and says how deep the transaction is: more
 * than 1 would mean that a commit commits nothing.
 */
export function createStaging(columns: Columns): string {
  const cells = columns.map((column) => `${quoteIdentifier(stagedName(column))} ${column.staged} NULL`);
  const definition = [`${quoteIdentifier(rowColumn)} INT NOT NULL`, ...cells].join(", ");
  return [`DROP TABLE IF EXISTS ${stagingTable};`, `CREATE TABLE ${stagingTable} (${definition});`, depthQuery].join(
    "\n",
  );
}

/** The rows for the bulk load, each with its place first. */
export function stagingRows(
  driver: Driver,
  columns: Columns,
  rows: readonly Pick<StagedRow<StagedValue>, "cells">[],
): Table {
  const table = new driver.Table(stagingTable);
  table.create = false;
  table.columns.add(rowColumn, driver.Int(), { nullable: false });
  for (const column of columns) table.columns.add(stagedName(column), column.driverType(driver), { nullable: true });
  for (const [index, { cells }] of rows.entries()) table.rows.add(index, ...cells);
  return table;
}

/** The staged rows in the types of the target's columns, as a derived table. */
export function stagedRows(columns: Columns): string {
  const cells = columns.map((column) => {
    const name = quoteIdentifier(stagedName(column));
    return `${column.typed(name)} AS ${name}`;
  });
  return `(SELECT ${[quoteIdentifier(rowColumn), ...cells].join(", ")} FROM ${stagingTable})`;
}
