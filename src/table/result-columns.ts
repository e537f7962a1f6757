import { closest } from "../errors/closest.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { listNames } from "../errors/name-list.ts";

/**
 * Makes sure that the columns of a query's result can be a row's fields, with the primary key among them.
 *
 * @param where the query's name in messages: `the sql`
 * @throws the error of `fail` for none, for two of one name, and without the primary key column
 */
export function requireColumns(
  columns: readonly string[],
  primaryKeyColumn: string,
  where: string,
  fail: (problem: string, options: ErrorOptions) => Error,
): void {
  if (columns.length === 0)
    throw fail(`${where} is not a query: it has no result columns`, { facts: { where, columns } });
  const repeated = [...new Set(columns.filter((name, index) => columns.indexOf(name) !== index))];
  if (repeated.length > 0) {
    const problem = `${where} has more than one result column ${listNames(repeated)}`;
    throw fail(problem, { facts: { where, columns: repeated, hint: "rename one with AS" } });
  }
  if (columns.includes(primaryKeyColumn)) return;
  const [nearest] = closest(primaryKeyColumn, columns, 1);
  const problem = `the primaryKeyColumn "${primaryKeyColumn}" is not a result column of ${where}`;
  throw fail(`${problem}; its columns are ${listNames(columns)}`, {
    facts: {
      where,
      column: primaryKeyColumn,
      columns,
      nearest,
      hint: nearest === undefined ? undefined : `did you mean "${nearest}"?`,
    },
  });
}
