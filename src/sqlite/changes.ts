import type { DatabaseSync } from "node:sqlite";
import type { ReadContext } from "../contracts/source.ts";
import { changedParts, greatestPart } from "../table/change-order.ts";
import type { ChangeBounds } from "../table/column-changes.ts";
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
  { since, until = null }: ChangeBounds,
): readonly FindingQuery[] {
  const { from, change, key } = partsOf(sql, columns, order);
  const hasKey = since !== undefined && since.key !== null;
  const place = since && { value: "@llm_etl_since", key: hasKey ? "@llm_etl_key" : undefined };
  const most = until === null ? undefined : "@llm_etl_until";
  const [ordered, withoutPlace] = changedParts({ change, key }, place, most);
  const bindings = {
    ...(since !== undefined && { "@llm_etl_since": toSQLiteValue(since.value) }),
    ...(hasKey && { "@llm_etl_key": toSQLiteValue(since.key) }),
    ...(until !== null && { "@llm_etl_until": toSQLiteValue(until) }),
  };
  return [
    { sql: `${from} ${ordered}`, bindings },
    { sql: `${from} ${withoutPlace}`, bindings: {} },
  ];
}

/** A query for the row of `sql` with the greatest place; it gives none where no row has a place. */
export function greatestQuery(sql: string, columns: readonly string[], order: ChangeColumns): FindingQuery {
  const { from, change } = partsOf(sql, columns, order);
  return { sql: `${from} ${greatestPart(change)}`, bindings: {} };
}

/** The queries of {@link changeQueries}. Where that is asked for, it is reported that no index serves their order. */
export function planned(
  database: DatabaseSync,
  queries: readonly FindingQuery[],
  column: string,
  { onFound }: Pick<ReadContext, "onFound">,
): readonly FindingQuery[] {
  const [first] = queries;
  if (onFound === undefined || first === undefined) return queries;
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${first.sql}`).all();
  if (plan.some(({ detail }) => detail === "USE TEMP B-TREE FOR ORDER BY"))
    onFound(`no index on the column of the changes, "${column}", serves: each run looks at every row, and sorts them`);
  return queries;
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
