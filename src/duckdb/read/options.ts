import type { Parameters, RowSchema } from "../../contracts/source.ts";
import { isCount, isName, isObject, isPath, type OptionCheck, optional } from "../../errors/options.ts";
import type { QueryTextOptions } from "../../table/query-text.ts";

interface DuckDBSourceSettings<Row extends object> {
  /** The result column that identifies a row: a value of its own for each row, never NULL. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** Checks and converts each row, and gives the type `Row`. Without it a value is of any type, or write `new DuckDBSource<Row>(…)`. */
  readonly schema?: RowSchema<Row> | undefined;
  /**
   * Values for the `$name` in the SQL, each under its bare name; those given at run time win. A text is read in the type of its place: where
   * DuckDB can't tell that, write `CAST($name AS DATE)`.
   */
  readonly parameters?: Parameters | undefined;
  /** A DuckDB database whose tables the query reads, beside files: a text is relative to the working directory. It must exist, and is opened read-only. @default none */
  readonly databasePath?: string | URL | undefined;
  /**
   * The most memory for the data that DuckDB holds, in MiB: of a plain query a row group or two, of one that sorts, groups, joins or has a LIMIT
   * what that takes. Sorting and grouping use temporary files beyond it. @default 512
   */
  readonly memoryLimitMiB?: number | undefined;
  /** The threads that read and compute at once. Each holds parts of files in memory. @default 1 */
  readonly threads?: number | undefined;
}

export type DuckDBSourceOptions<Row extends object> = DuckDBSourceSettings<Row> & QueryTextOptions;

/** For `checkOptions`. */
export const sourceChecks: { readonly [Name in keyof DuckDBSourceOptions<object>]-?: OptionCheck } = {
  primaryKeyColumn: isName,
  schema: optional(isObject),
  parameters: optional(isObject),
  databasePath: optional(isPath),
  memoryLimitMiB: optional(isCount(16)),
  threads: optional(isCount(1)),
  sql: optional(isName),
  sqlFile: optional(isPath),
};
