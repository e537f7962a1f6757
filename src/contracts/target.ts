/** The type of a column's values, in no database's words. */
export type ValueType =
  | {
      readonly kind: "text";
      /** In UTF-16 units; undefined without a limit. */
      readonly maxLength: number | undefined;
      /** A schema holds values to it; else it is the longest of today, as with the names of a taxonomy. */
      readonly isLimit: boolean;
    }
  /** Hexadecimal digits in lower case, always that many. */
  | { readonly kind: "digits"; readonly length: number }
  | { readonly kind: "integer" | "number"; readonly minimum: number; readonly maximum: number }
  /** A date and time; `decimals` are those of the second. */
  | { readonly kind: "moment"; readonly decimals: number }
  | { readonly kind: "boolean" | "uuid" | "date" | "json" }
  | { readonly kind: "unknown"; readonly reason: string };

/** A field of a schema: what it is, and whether it may be absent or null. */
export interface FieldType {
  readonly type: ValueType;
  readonly isNullable: boolean;
}

export interface ColumnDescription extends FieldType {
  readonly name: string;
  /** It is the time at which the row was completed. */
  readonly isCompletedAt: boolean;
}

/** The columns that a pipeline's target must have, as far as the pipeline shows them. */
export interface TargetDescription {
  /** The sink's name. */
  readonly sink: string;
  /** As the sink was given it; undefined if it writes to no table. */
  readonly targetTable: string | undefined;
  readonly strategy: string | undefined;
  /** The columns that tell a row from all others: the merge keys, or of a sink without any what holds the row's primary key. */
  readonly keys: readonly string[];
  /** In the order of the column map. */
  readonly columns: readonly ColumnDescription[];
  /** How the sink's database speaks; undefined if it writes to no table. */
  readonly dialect: SQLDialect | undefined;
}

/** The SQL of one database, as far as `sql create-table` needs it. A module of a sink exports its own as `dialect`. */
export interface SQLDialect {
  readonly name: string;
  /**
   * The statements that make a table for what a pipeline writes.
   *
   * @throws {OptionError} if the table or a column can't have its name
   */
  readonly createTable: (target: TargetDescription, table: string) => string;
}
