import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";

/** Finds one line as the list of its values, in the statement's order. An object with a name for each costs a quarter of a look-up. */
export type FindValues = (...parameters: readonly SQLInputValue[]) => readonly SQLOutputValue[] | undefined;

export function prepareFind(database: DatabaseSync, sql: string): FindValues {
  const statement = prepareArrays(database, sql);
  return (...parameters) => statement.get(...parameters) as readonly SQLOutputValue[] | undefined; // its types know objects alone
}

/** The same for all lines. */
export function prepareFindAll(
  database: DatabaseSync,
  sql: string,
): (...parameters: readonly SQLInputValue[]) => readonly (readonly SQLOutputValue[])[] {
  const statement = prepareArrays(database, sql);
  return (...parameters) => statement.all(...parameters) as unknown as readonly (readonly SQLOutputValue[])[]; // as above
}

function prepareArrays(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}
