import type { ChangeBounds, PlaceValues } from "./column-changes.ts";
import { type Bound, wrapped } from "./query-statement.ts";

/** The columns that order the changes of a query's rows, as they stand in SQL. */
export interface ChangeOrder {
  readonly change: string;
  readonly key: string;
}

/** The values of a place, as they stand in SQL. Without a key all rows of its value are read again. */
export interface PlaceInSQL {
  readonly value: string;
  readonly key?: string | undefined;
}

/**
 * The ends of two queries, from WHERE on, that read the rows behind a place, or all, in the order of their places, and then those that have none.
 *
 * @param until the greatest value that is read. @default any
 */
export function changedParts(
  order: ChangeOrder,
  since: PlaceInSQL | undefined,
  until?: string,
): readonly [ordered: string, withoutPlace: string] {
  const { change, key } = order;
  const most = until === undefined ? "" : ` AND ${change} <= ${until}`;
  return [`WHERE ${boundOf(order, since)}${most} ORDER BY ${change}, ${key}`, `WHERE ${change} IS NULL`];
}

/** The end of a query for the row with the greatest place, of those from a value on or of all; there is none where no row has a place. */
export function greatestPart(change: string, from?: string): string {
  const bound = boundOf({ change, key: change }, from === undefined ? undefined : { value: from });
  return `WHERE ${bound} ORDER BY ${change} DESC LIMIT 1`;
}

/** Compared together, the two are found in an index on both, also among a million rows of one time; in one on the first of them by that. */
function boundOf({ change, key }: ChangeOrder, since: PlaceInSQL | undefined): string {
  if (since === undefined) return `${change} IS NOT NULL`;
  if (since.key === undefined) return `${change} >= ${since.value}`;
  return `(${change}, ${key}) > (${since.value}, ${since.key})`;
}

/**
 * The queries of {@link changedParts}, of a server that puts a key that is NULL behind all others: such rows of the place's own value, which no
 * place can come behind, are read each time, and first.
 */
export function changeQueries(query: Bound, order: ChangeOrder, { since, until }: ChangeBounds): readonly Bound[] {
  const values: (string | Buffer)[] = [];
  const inSQL = (value: unknown): string | undefined => {
    const text = textOf(value);
    return text === null ? undefined : `$${query.values.length + values.push(text)}`;
  };
  const value = inSQL(since?.value);
  const withoutKey = wrapped(query, `WHERE ${order.change} = ${value} AND ${order.key} IS NULL`, {
    values: [...values],
  });
  const key = value === undefined ? undefined : inSQL(since?.key);
  const place = value === undefined ? undefined : { value, key };
  const [ordered, withoutPlace] = changedParts(order, place, inSQL(until));
  return [
    ...(key === undefined ? [] : [withoutKey]),
    wrapped(query, ordered, { values }),
    wrapped(query, withoutPlace),
  ];
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
