import type { ChangeBounds, PlaceValues } from "./column-changes.ts";
import { type Bound, wrapped } from "./query-statement.ts";

/** The columns that order the changes of a query's rows, as they stand in SQL. */
export interface ChangeOrder {
  readonly change: string;
  readonly key: string;
}

/** The values of a place, as they stand in SQL. */
export interface PlaceInSQL {
  readonly value: string;
  /** The condition that a key comes after that of the place; undefined for a place without a key: its value's rows are read again. */
  readonly isKeyBehind: string | undefined;
}

/**
 * The ends of two queries, from WHERE on, that read the rows behind a place, or all, in the order of their places, and then those that have none.
 *
 * @param until the greatest value that is read. @default any
 */
export function changedParts(
  { change, key }: ChangeOrder,
  since: PlaceInSQL | undefined,
  until?: string,
): readonly [ordered: string, withoutPlace: string] {
  const most = until === undefined ? "" : ` AND ${change} <= ${until}`;
  return [`WHERE ${boundOf(change, since)}${most} ORDER BY ${change}, ${key}`, `WHERE ${change} IS NULL`];
}

/** The end of a query for the row with the greatest place, of those from a value on or of all; there is none where no row has a place. */
export function greatestPart(change: string, from?: string): string {
  return `WHERE ${boundOf(change, from === undefined ? undefined : { value: from, isKeyBehind: undefined })} ORDER BY ${change} DESC LIMIT 1`;
}

/** The first comparison alone is what an index on the column is searched for. */
function boundOf(change: string, since: PlaceInSQL | undefined): string {
  if (since === undefined) return `${change} IS NOT NULL`;
  const from = `${change} >= ${since.value}`;
  return since.isKeyBehind === undefined ? from : `${from} AND (${change} > ${since.value} OR ${since.isKeyBehind})`;
}

/** The queries of {@link changedParts}, of a server that puts a key that is NULL behind all others. */
export function changeQueries(query: Bound, order: ChangeOrder, { since, until }: ChangeBounds): readonly Bound[] {
  const values: (string | Buffer)[] = [];
  const inSQL = (value: unknown): string | undefined => {
    const text = textOf(value);
    return text === null ? undefined : `$${query.values.length + values.push(text)}`;
  };
  const value = inSQL(since?.value);
  const key = value === undefined ? undefined : inSQL(since?.key);
  const isKeyBehind = key === undefined ? undefined : `${order.key} > ${key} OR ${order.key} IS NULL`;
  const [ordered, withoutPlace] = changedParts(
    order,
    value === undefined ? undefined : { value, isKeyBehind },
    inSQL(until),
  );
  return [wrapped(query, ordered, { values }), wrapped(query, withoutPlace)];
}

/** That of {@link greatestPart}, of the rows behind a place or of all: where those behind it are few, they are not looked for among all. */
export function greatestQuery(query: Bound, change: string, since: PlaceValues | undefined): Bound {
  const value = textOf(since?.value);
  if (value === null) return wrapped(query, greatestPart(change));
  return wrapped(query, greatestPart(change, `$${query.values.length + 1}`), { values: [value] });
}

/** As a server reads the value of a cell. null for none, and for a structure: as a key it fails its row anyway. */
function textOf(value: unknown): string | Buffer | null {
  if (value instanceof Uint8Array) return Buffer.from(value);
  const isScalar = ["string", "number", "bigint", "boolean"].includes(typeof value);
  return isScalar ? `${value as string | number | bigint | boolean}` : null; // by its type, one line above
}
