import type { Parameters } from "../contracts/source.ts";
import { reversible, toJSONValue } from "../json/json.ts";
import { checkOptions, isName, isNumber, isOneOf, type OptionCheck, optional } from "../errors/options.ts";

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

/** {@link ColumnChanges} with its default. */
export type ResolvedColumnChanges = Readonly<Record<"column", string>> & Readonly<Record<"lagSeconds", number>>;

const columnChecks: { readonly [Name in keyof ColumnChanges]-?: OptionCheck } = {
  by: isOneOf("column"),
  column: isName,
  lagSeconds: optional(isNumber(0)),
};

/** @throws {OptionError} for an option that is unknown or has a wrong value */
export function resolveColumnChanges(
  owner: string,
  changes: ColumnChanges | undefined,
): ResolvedColumnChanges | undefined {
  if (changes === undefined) return undefined;
  checkOptions(`${owner}: changes`, changes, columnChecks);
  const { column, lagSeconds = 300 } = changes;
  return { column, lagSeconds };
}

/** All that decides which rows there are, and in which order they changed. */
export function basisText(sql: string, { column }: ResolvedColumnChanges, parameters: Parameters): string {
  const sorted = Object.entries(parameters).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([sql, column, toJSONValue(sorted, reversible)]);
}
