import type { ChangedRow, ChangePlace, ChangeReading, Parameters, ReadContext } from "../contracts/source.ts";
import { closest } from "../errors/closest.ts";
import { describeType } from "../errors/describe-type.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { listNames } from "../errors/name-list.ts";
import { checkOptions, isName, isNumber, isOneOf, type OptionCheck, optional } from "../errors/options.ts";
import { fromReversible, reversible, toJSONValue } from "../json/json.ts";
import type { GivenRow } from "./query-rows.ts";
import { isBeforeTimes, isNumeralOfTime, latestMs } from "./change-times.ts";

/** A column that each change of a row sets to a greater value than any before: `changed_at`. */
export interface ColumnChanges {
  readonly by: "column";
  /** A result column of the query. An index on it makes a run cost what changed. Rows in which it is NULL are read by each run. */
  readonly column: string;
  /**
   * The longest time from the moment that a transaction gives the column its value to its commit, with what clocks differ by, in seconds.
   * Rows that changed later than this before a run are read again by the next one: another transaction may still commit an earlier value.
   * The rows of a transaction that takes longer can be missed.
   *
   * @default 300
   */
  readonly lagSeconds?: number | undefined;
}

/** The checks of {@link ColumnChanges}. */
export const columnChecks: { readonly [Name in keyof ColumnChanges]-?: OptionCheck } = {
  by: isOneOf("column"),
  column: isName,
  lagSeconds: optional(isNumber(0)),
};

type Raw = Readonly<Record<string, unknown>>;

/** The values of a place: of the column, never NULL, and of the key, which comes after it in the order. */
export interface PlaceValues {
  readonly value: unknown;
  readonly key: unknown;
}

/** The rows to read: those behind a place, and up to a value; all where neither is given. */
export interface ChangeBounds {
  readonly since?: PlaceValues | undefined;
  readonly until?: unknown;
}

/** The row with the greatest value, and the clock of the server that it is on. */
export interface Greatest {
  readonly row: Raw | undefined;
  /** @default the rows are on this machine */
  readonly clock?: ServerClock | undefined;
}

export interface ServerClock {
  /** In milliseconds since 1970. */
  readonly nowMs: number;
  /** Its offsets of late: `-08:00`. A time without a time zone may be of it. */
  readonly zones: readonly string[];
}

/** A source whose query has a column that tells the changes: all that the database has a part in. */
export interface ChangingQuery {
  /** The class, in messages about options. */
  readonly owner: string;
  readonly keyColumn: string;
  /** The query's name in messages: `the sql`. */
  readonly where: string;
  readonly fail: (problem: string, options: ErrorOptions) => Error;
  /** The query and the values of its parameters. */
  readonly text: (given: Parameters) => Promise<readonly [sql: string, parameters: Parameters]>;
  /**
   * The row with the greatest value in the column, of those behind a place or of all; none where it is NULL in each.
   * {@link requireChangeColumn} is to be called first.
   */
  readonly greatest: (column: string, context: ReadContext, since: PlaceValues | undefined) => Promise<Greatest>;
  /**
   * Rows in the order of column and key, and then those in which the column is NULL: as they are at one moment, so that a row which changes
   * meanwhile does not come twice.
   */
  readonly rows: (column: string, bounds: ChangeBounds, context: ReadContext) => AsyncIterable<GivenRow>;
}

/** The reading of what changed by a column. @throws {OptionError} for an option that is unknown or has a wrong value */
export function columnChanges(changes: ColumnChanges | undefined, query: ChangingQuery): ChangeReading | undefined {
  if (changes === undefined) return undefined;
  checkOptions(`${query.owner}: changes`, changes, columnChecks);
  const { column, lagSeconds = 300 } = changes;
  const read = async function* (since: string | undefined, context: ReadContext): AsyncGenerator<ChangedRow> {
    const startMs = Date.now();
    const place = since === undefined ? undefined : valuesIn(since);
    const { row: last, clock } = await query.greatest(column, context, place);
    const greatest = last?.[column] ?? null;
    const nowMs = Math.min(startMs, clock?.nowMs ?? startMs); // whoever is behind: values may be of either clock
    const placeOf = placesOf({ ...query, column, lagSeconds, zones: clock?.zones ?? [] }, greatest, nowMs);
    // Without a lag what is greater than the greatest value, which may have changed since, is left to the next run.
    const until = lagSeconds === 0 ? greatest : null;
    for await (const row of query.rows(column, { since: place, until }, context)) {
      yield { ...row, place: placeOf(row.raw) };
    }
  };
  const basis = async (given: Parameters): Promise<string> => queryBasis(await query.text(given), column);
  return { by: column, basis, read };
}

/** The basis of the changes of a query: see {@link ChangeReading.basis}. */
export function queryBasis([sql, parameters]: readonly [sql: string, parameters: Parameters], column: string): string {
  const sorted = Object.entries(parameters).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([sql, column, toJSONValue(sorted, reversible)]);
}

/** @throws the error of `fail` if the column of the changes is no result column */
export function requireChangeColumn(
  columns: readonly string[],
  column: string,
  { where, fail }: Pick<ChangingQuery, "where" | "fail">,
): void {
  if (columns.includes(column)) return;
  const [nearest] = closest(column, columns, 1);
  const hint = nearest === undefined ? `its columns are ${listNames(columns)}` : `did you mean "${nearest}"?`;
  const problem = `the column of the changes, "${column}", is not a result column of ${where}`;
  throw fail(problem, { facts: { where, column, columns, nearest, hint } });
}

interface PlaceOptions extends Pick<ChangingQuery, "keyColumn" | "where" | "fail"> {
  readonly column: string;
  readonly lagSeconds: number;
  readonly zones: readonly string[];
}

/**
 * Gives each row its place.
 *
 * @param greatest the greatest value, which tells what kind of values the column has
 * @param nowMs when the reading starts, in milliseconds since 1970
 * @throws the error of `fail` if a lag can't be told from such values
 */
function placesOf(
  { column, keyColumn, lagSeconds, zones, where, fail }: PlaceOptions,
  greatest: unknown,
  nowMs: number,
): (row: Raw) => ChangePlace | null {
  const cutMs = nowMs - lagSeconds * 1000;
  const areNumerals = isNumeralOfTime(greatest);
  const ofKind = (value: unknown): unknown => (areNumerals && typeof value === "string" ? Number(value) : value);
  const isStructure = typeof greatest === "object" && !(greatest instanceof Uint8Array);
  if (greatest !== null && (isStructure || (lagSeconds > 0 && latestMs(ofKind(greatest)) === undefined))) {
    const hint =
      "with lagSeconds: 0 any numbers, texts or bytes will do that grow, and whose transactions commit in their order";
    const expected = "times: texts as 2026-11-30 18:00:00, or seconds or milliseconds since 1970";
    const facts = { where, column, expected, got: describeType(greatest), hint };
    throw fail(`the greatest value of "${column}" is no time`, { facts });
  }
  const isSettled = (value: unknown): boolean => {
    const latest = latestMs(ofKind(value), zones);
    if (latest !== undefined) return latest <= cutMs;
    return lagSeconds > 0 ? isBeforeTimes(ofKind(value), cutMs) : greatest !== null && !mayBeEqual(value, greatest);
  };
  return (row) => {
    const value = row[column] ?? null;
    if (value === null) return null;
    return {
      exact: JSON.stringify(toJSONValue([value, row[keyColumn] ?? null], reversible)),
      shown: shownOf(ofKind(value)),
      isSettled: isSettled(value),
    };
  };
}

const collator = new Intl.Collator("en", { sensitivity: "base" });

/** True for values that a database may hold equal: numerals with other digits, texts in another letter case or with blanks behind them. */
function mayBeEqual(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  if (typeof one !== "string" || typeof other !== "string") return one === other;
  return collator.compare(one.trimEnd(), other.trimEnd()) === 0 || Number(one) === Number(other);
}

/** A number, or a time: of any other value it is not known that it is no content. */
function shownOf(value: unknown): string | null {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" && latestMs(value) !== undefined ? value : null;
}

function valuesIn(place: string): PlaceValues {
  const values = fromReversible(JSON.parse(place));
  const [value, key]: readonly unknown[] = Array.isArray(values) ? values : [];
  return { value, key };
}
