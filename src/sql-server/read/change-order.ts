import { keyAsGiven, keyText } from "../../engine/primary-key.ts";
import { quoteIdentifier } from "../identifiers.ts";
import type { StatementParameter } from "../parameters.ts";
import { rowsName } from "./finding-query.ts";
import { keyValues } from "./key-values.ts";
import type { RawRow } from "./read-session.ts";
import type { ResultType } from "./read-types.ts";

/** The columns of a statement's result that order the changes of its rows. */
export interface ChangeOrder {
  readonly column: string;
  readonly columnType: ResultType;
  readonly keyColumn: string;
  readonly keyType: ResultType;
}

/** The place of a row in the order: its values as keys are written. `key` is null for a row without one. */
export interface RowPlace {
  readonly value: string;
  readonly key: string | null;
}

/** Undefined for a row in which the column is NULL. */
export function rowPlace(raw: RawRow, { column, keyColumn }: ChangeOrder): RowPlace | undefined {
  const value = keyText(raw[column]);
  return value === undefined ? undefined : { value, key: keyAsGiven(raw, keyColumn) ?? null };
}

/**
 * The rows of one kind: `settled` come before the boundary and behind a place, `open` from the boundary on; `none` are those in which the column
 * is NULL.
 */
export type ChangePart = "settled" | "open" | "none";

/** A query over {@link rowsName}, with its own parameters. */
export interface OuterQuery {
  readonly outer: string;
  readonly bounds: readonly StatementParameter[];
}

/**
 * A query for the rows of a part, in the order of their places.
 *
 * @param boundary a value that {@link hasBound}; without it `open` has all rows but those of `none`
 * @param last rows behind this place only; of `none`, behind its key
 */
export function changeQuery(
  { column, columnType, keyColumn, keyType }: ChangeOrder,
  part: ChangePart,
  boundary: string | undefined,
  last: RowPlace | undefined,
): OuterQuery {
  const [change, key] = [columnOf(column), columnOf(keyColumn)];
  const bounds: StatementParameter[] = [];
  const bind = (name: string, type: ResultType, value: string | null | undefined): string | undefined => {
    const bound = value === null || value === undefined ? undefined : boundValue(type, value);
    if (bound !== undefined) bounds.push({ name, ...bound });
    return bound && `@${name}`;
  };
  const conditions: string[] = [];
  if (part === "none") {
    conditions.push(`${change} IS NULL`);
    const after = bind("llm_etl_key", keyType, last?.key);
    if (after !== undefined) conditions.push(`${key} > ${after}`);
  } else {
    const limit = bind("llm_etl_boundary", columnType, boundary);
    const side = part === "settled" ? "<" : ">=";
    conditions.push(limit === undefined ? `${change} IS NOT NULL` : `${change} ${side} ${limit}`);
    const since = bind("llm_etl_since", columnType, last?.value);
    const after = since && bind("llm_etl_key", keyType, last?.key);
    if (since !== undefined) conditions.push(`${change} >= ${since}`);
    if (after !== undefined) conditions.push(`(${change} > ${since} OR ${key} > ${after})`);
  }
  const by = new Set(part === "none" ? [key] : [change, key]); // the server takes no column twice
  return {
    outer: `SELECT * FROM ${rowsName}\nWHERE ${conditions.join(" AND ")}\nORDER BY ${[...by].join(", ")}`,
    bounds,
  };
}

/** A query over {@link rowsName} for the greatest value, `greatest`. */
export function greatestQuery(column: string): string {
  const change = columnOf(column);
  return `SELECT TOP (1) ${change} AS [greatest] FROM ${rowsName}\nWHERE ${change} IS NOT NULL ORDER BY ${change} DESC`;
}

/** True if a value, as a key is written, can be compared with those of a column of this type. */
export function hasBound(type: ResultType, value: string): boolean {
  return boundValue(type, value) !== undefined;
}

/** True if a query for the rows of a part that are behind a place has neither this row nor one that came before it. */
export function canGoOnBehind(place: RowPlace, { columnType, keyType }: ChangeOrder, part: ChangePart): boolean {
  const { value, key } = place;
  return key !== null && hasBound(keyType, key) && (part === "none" || hasBound(columnType, value));
}

function columnOf(name: string): string {
  return `${rowsName}.${quoteIdentifier(name)}`;
}

const times = new Set(["date", "smalldatetime", "datetime", "datetime2", "datetimeoffset"]);

/** The value in its type. Undefined where it has none there, or one that the server does not compare in the order of the column. */
function boundValue(type: ResultType, value: string): Omit<StatementParameter, "name"> | undefined {
  const [bound] = keyValues(type, [value]) ?? [];
  // As NVARCHAR it would be compared in another order than the VARCHAR column is sorted in.
  const isOfOtherOrder = (type.name === "char" || type.name === "varchar") && bound?.sentAs.startsWith("n") === true;
  if (bound === undefined || isOfOtherOrder) return undefined;
  return times.has(type.name) ? { ...bound, declaration: type.declaration } : bound;
}
