import type { SQLInputValue } from "node:sqlite";
import type { PlaceValues } from "../table/column-changes.ts";
import type { FindingQuery } from "./finding.ts";
import { quoteIdentifier } from "./identifiers.ts";
import { statementText } from "./statement.ts";
import { toSQLiteValue } from "./values.ts";

/** The columns that order the changes of a query's rows. */
export interface ChangeColumns {
  readonly column: string;
  readonly keyColumn: string;
}

/**
 * Queries for the rows of `sql` behind a place, in the order of their places, and for those that have none.
 *
 * @param columns the result columns of `sql`
 */
export function changeQueries(
  sql: string,
  columns: readonly string[],
  order: ChangeColumns,
  since: PlaceValues | undefined,
): readonly FindingQuery[] {
  const { from, change, key } = partsOf(sql, columns, order);
  const [condition, bindings] = boundOf(change, key, since);
  return [
    { sql: `${from} WHERE ${condition} ORDER BY ${change}, ${key}`, bindings },
    { sql: `${from} WHERE ${change} IS NULL`, bindings: {} },
  ];
}

/** A query for the row of `sql` with the greatest place; it gives none where no row has a place. */
export function greatestQuery(sql: string, columns: readonly string[], order: ChangeColumns): FindingQuery {
  const { from, change } = partsOf(sql, columns, order);
  return { sql: `${from} WHERE ${change} IS NOT NULL ORDER BY ${change} DESC LIMIT 1`, bindings: {} };
}

function boundOf(
  change: string,
  key: string,
  since: PlaceValues | undefined,
): readonly [condition: string, bindings: Record<string, SQLInputValue>] {
  if (since === undefined) return [`${change} IS NOT NULL`, {}];
  const from = `${change} >= @llm_etl_since`;
  const value = toSQLiteValue(since.value);
  if (since.key === null) return [from, { "@llm_etl_since": value }];
  const behind = `${from} AND (${change} > @llm_etl_since OR ${key} > @llm_etl_key)`;
  return [behind, { "@llm_etl_since": value, "@llm_etl_key": toSQLiteValue(since.key) }];
}

function partsOf(
  sql: string,
  columns: readonly string[],
  { column, keyColumn }: ChangeColumns,
): Readonly<Record<"from" | "change" | "key", string>> {
  const list = columns.map((each) => quoteIdentifier(each)).join(", ");
  return {
    from: `WITH llm_etl_rows (${list}) AS (\n${statementText(sql)}\n) SELECT * FROM llm_etl_rows`,
    change: `llm_etl_rows.${quoteIdentifier(column)}`,
    key: `llm_etl_rows.${quoteIdentifier(keyColumn)}`,
  };
}
