import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { isKind } from "./errors.ts";
import { quoteIdentifier } from "./identifiers.ts";
import { statementText } from "./statement.ts";

/** A query for the rows of another one with some primary keys. */
export interface FindingQuery {
  readonly sql: string;
  /** The values of its own parameters. */
  readonly bindings: Readonly<Record<string, SQLInputValue>>;
}

/**
 * A query for the rows of `sql` whose key may be one of these. A comparison in SQL takes some keys for equal that are not (by
 * collation, or 1 and 1.0), so the rows are to be looked at.
 *
 * @param columns the result columns of `sql`
 */
export function findingQuery(
  sql: string,
  columns: readonly string[],
  keyColumn: string,
  pks: readonly string[],
): FindingQuery {
  const values = pks.flatMap(valuesWithKey);
  const names = values.map((_, index) => `@llm_etl_key_${index}`);
  const list = columns.map((column) => quoteIdentifier(column)).join(", ");
  const key = `llm_etl_rows.${quoteIdentifier(keyColumn)}`;
  return {
    sql: `WITH llm_etl_rows (${list}) AS (\n${statementText(sql)}\n) SELECT * FROM llm_etl_rows WHERE ${key} IN (${names.join(", ")})`,
    bindings: Object.fromEntries(names.map((name, index) => [name, values[index] ?? null])),
  };
}

/** The values of SQLite that have this text as their key: what the column holds is known only when it is read. */
function valuesWithKey(pk: string): SQLInputValue[] {
  const values: SQLInputValue[] = pk.isWellFormed() ? [pk] : [];
  if (/^-?\d{1,19}$/.test(pk)) {
    const whole = BigInt(pk);
    if (BigInt.asIntN(64, whole) === whole) values.push(whole);
  }
  const number = Number(pk);
  if (Number.isFinite(number) && String(number) === pk && !Number.isSafeInteger(number)) values.push(number);
  if (/^(?:[0-9a-f]{2})+$/.test(pk)) values.push(Buffer.from(pk, "hex"));
  return values;
}

/** The names of a query's columns; undefined where it is none that SQLite takes. */
export function namesOf(database: DatabaseSync, sql: string): readonly string[] | undefined {
  try {
    return database
      .prepare(sql)
      .columns()
      .map(({ name }) => name);
  } catch (error) {
    if (isKind(error, "busy")) throw error;
    return undefined;
  }
}
