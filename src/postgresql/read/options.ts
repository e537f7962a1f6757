import type { Parameters, RowSchema } from "../../contracts/source.ts";
import {
  isCount,
  isDuration,
  isName,
  isObject,
  isOneOf,
  isPath,
  type OptionCheck,
  optional,
} from "../../errors/options.ts";
import type { ColumnChanges } from "../../table/column-changes.ts";
import type { QueryTextOptions } from "../../table/query-text.ts";
import { connectionChecks, type PostgreSQLConnectionOptions } from "../connect/options.ts";

interface PostgreSQLSourceSettings<Row extends object> extends PostgreSQLConnectionOptions {
  /** The result column that identifies a row: a value of its own for each row, never NULL. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** Checks and converts each row, and gives the type `Row`. Without it write `new PostgreSQLSource<Row>(…)`. */
  readonly schema?: RowSchema<Row> | undefined;
  /**
   * Values for the `@name` in the SQL, each under its bare name; those given at run time win. The server takes the type from the place: where it
   * can't tell, write `CAST(@name AS integer)`.
   */
  readonly parameters?: Parameters | undefined;
  /**
   * `pages` asks for the rows page by page, in the order of their keys: nothing stays open on the server while steps work, and the reading goes on
   * after a broken connection. `cursor` makes the result once, in its own order, and keeps a transaction open until its last row.
   *
   * @default "pages", but "cursor" for a query that orders, bounds or groups its rows (ORDER BY, LIMIT, GROUP BY, DISTINCT, UNION, WITH, …)
   */
  readonly reading?: "pages" | "cursor" | undefined;
  /** The rows that are asked for at once, which are held in memory. @default 1,000 */
  readonly pageSize?: number | undefined;
  /** The longest time to try again after a failure that passes, in milliseconds. @default 300,000 */
  readonly sourceTimeoutMs?: number | undefined;
  /**
   * Lets runs read only what changed since the last one, and rows that are due (docs/changes.md). They are read by a cursor, as they are at one
   * moment. @default runs read every row
   */
  readonly changes?: ColumnChanges | undefined;
}

export type PostgreSQLSourceOptions<Row extends object> = PostgreSQLSourceSettings<Row> & QueryTextOptions;

/** For `checkOptions`. */
export const sourceChecks: { readonly [Name in keyof PostgreSQLSourceOptions<object>]-?: OptionCheck } = {
  ...connectionChecks,
  primaryKeyColumn: isName,
  schema: optional(isObject),
  parameters: optional(isObject),
  reading: optional(isOneOf("pages", "cursor")),
  pageSize: optional(isCount(1)),
  sourceTimeoutMs: optional(isDuration(0)),
  changes: optional(isObject),
  sql: optional(isName),
  sqlFile: optional(isPath),
};
