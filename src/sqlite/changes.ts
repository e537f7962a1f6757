import type { SQLInputValue } from "node:sqlite";
import type { ChangePlace } from "../contracts/source.ts";
import { closest } from "../errors/closest.ts";
import { describeType } from "../errors/describe-type.ts";
import { listNames } from "../errors/name-list.ts";
import { fromReversible, reversible, toJSONValue } from "../json/json.ts";
import type { ResolvedColumnChanges } from "../table/column-changes.ts";
import { isBeforeTimes, latestMs } from "./change-times.ts";
import type { FindingQuery } from "./finding.ts";
import { quoteIdentifier } from "./identifiers.ts";
import type { Fail } from "./open.ts";
import { statementText } from "./statement.ts";
import { toSQLiteValue } from "./values.ts";

type Raw = Readonly<Record<string, unknown>>;

/** The order of the changes of a query's rows. */
export interface ChangeOrder extends ResolvedColumnChanges {
  readonly keyColumn: string;
  /** The query's name in messages: `the sql`. */
  readonly where: string;
  readonly fail: Fail;
}

/**
 * Queries for the rows of `sql` behind a place, in the order of their places, and for those that have none.
 *
 * @param columns the result columns of `sql`
 * @throws the error of `fail` if the column of the changes is none of them
 */
export function changeQueries(
  sql: string,
  columns: readonly string[],
  order: ChangeOrder,
  since: string | undefined,
): readonly FindingQuery[] {
  const { from, change, key } = partsOf(sql, columns, order);
  const [value, keyValue] = since === undefined ? [null, null] : valuesIn(since);
  const bounds: readonly [string, Record<string, SQLInputValue>] =
    since === undefined
      ? [`${change} IS NOT NULL`, {}]
      : keyValue === null
        ? [`${change} >= @llm_etl_since`, { "@llm_etl_since": value }]
        : [
            `${change} >= @llm_etl_since AND (${change} > @llm_etl_since OR ${key} > @llm_etl_key)`,
            { "@llm_etl_since": value, "@llm_etl_key": keyValue },
          ];
  const [condition, bindings] = bounds;
  return [
    { sql: `${from} WHERE ${condition} ORDER BY ${change}, ${key}`, bindings },
    { sql: `${from} WHERE ${change} IS NULL`, bindings: {} },
  ];
}

/** A query for the row of `sql` with the greatest place; it has none where no row has a place. @throws as {@link changeQueries} */
export function greatestQuery(sql: string, columns: readonly string[], order: ChangeOrder): FindingQuery {
  const { from, change } = partsOf(sql, columns, order);
  return { sql: `${from} WHERE ${change} IS NOT NULL ORDER BY ${change} DESC LIMIT 1`, bindings: {} };
}

function partsOf(
  sql: string,
  columns: readonly string[],
  { column, keyColumn, where, fail }: ChangeOrder,
): Readonly<Record<"from" | "change" | "key", string>> {
  if (!columns.includes(column)) {
    const [nearest] = closest(column, columns, 1);
    const hint = nearest === undefined ? `its columns are ${listNames(columns)}` : `did you mean "${nearest}"?`;
    const problem = `the column of the changes, "${column}", is not a result column of ${where}`;
    throw fail(problem, { facts: { where, column, columns, nearest, hint } });
  }
  const list = columns.map((each) => quoteIdentifier(each)).join(", ");
  return {
    from: `WITH llm_etl_rows (${list}) AS (\n${statementText(sql)}\n) SELECT * FROM llm_etl_rows`,
    change: `llm_etl_rows.${quoteIdentifier(column)}`,
    key: `llm_etl_rows.${quoteIdentifier(keyColumn)}`,
  };
}

/**
 * Gives each row its place.
 *
 * @param greatest the row with the greatest place, which tells what kind of values the column has
 * @param startMs when the reading starts, in milliseconds since 1970
 * @throws the error of `fail` if a lag can't be told from such values
 */
export function placesOf(
  { column, keyColumn, lagSeconds, where, fail }: ChangeOrder,
  greatest: Raw | undefined,
  startMs: number,
): (row: Raw) => ChangePlace | null {
  const cutMs = startMs - lagSeconds * 1000;
  const last = greatest?.[column] ?? null;
  if (lagSeconds > 0 && last !== null && latestMs(last) === undefined) {
    const hint = "with lagSeconds: 0 any values will do that grow, and whose transactions commit in their order";
    const expected = "times: texts as 2026-11-30 18:00:00, or seconds or milliseconds since 1970";
    const facts = { where, column, expected, got: describeType(last), hint };
    throw fail(`the greatest value of "${column}" is no time`, { facts });
  }
  const isSettled = (value: unknown): boolean => {
    const latest = latestMs(value);
    if (latest !== undefined) return latest <= cutMs;
    return lagSeconds > 0 ? isBeforeTimes(value, cutMs) : value !== last;
  };
  return (row) => {
    const value = row[column] ?? null;
    if (value === null) return null;
    return {
      exact: JSON.stringify(toJSONValue([value, row[keyColumn] ?? null], reversible)),
      shown: shownOf(value),
      isSettled: isSettled(value),
    };
  };
}

/** A number, or a time: of any other value it is not known that it is no content. */
function shownOf(value: unknown): string | null {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" && latestMs(value) !== undefined ? value : null;
}

/** The values of a place, as they are bound: that of the column, and that of the key. */
function valuesIn(place: string): readonly [value: SQLInputValue, key: SQLInputValue] {
  const values = fromReversible(JSON.parse(place));
  const [value, key]: readonly unknown[] = Array.isArray(values) ? values : [];
  return [toSQLiteValue(value), toSQLiteValue(key)];
}
