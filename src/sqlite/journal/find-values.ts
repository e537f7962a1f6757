import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";

/** Finds one line as the list of its values, in the statement's order. An object with a name for each costs a quarter of a look-up. */
export type FindValues = (...parameters: readonly SQLInputValue[]) => readonly SQLOutputValue[] | undefined;

export function prepareFind(database: DatabaseSync, sql: string): FindValues {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  // The driver's types know objects alone.
  return (...parameters) => statement.get(...parameters) as readonly SQLOutputValue[] | undefined;
}
