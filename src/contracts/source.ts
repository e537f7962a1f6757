import type { Requirements } from "./requirements.ts";
import type { RowError } from "../errors/llm-etl-error.ts";

/** A value that a source's statement can be given under a name. */
export type ParameterValue = string | number | bigint | boolean | Date | Uint8Array | null;
export type Parameters = Readonly<Record<string, ParameterValue>>;

export interface ReadContext {
  /** Aborted when the run wants no more rows; reading ends within moments. */
  readonly signal: AbortSignal;
  /** Given at run time; they win over the source's own. A source that takes none rejects any. */
  readonly parameters: Parameters;
  /** Takes the number of rows that hold nothing and were passed over: they are counted apart, and are no rows of the run. */
  readonly onEmptyRows?: ((count: number) => void) | undefined;
  /** Takes what the source found out about its data, in a sentence without content: `check` reports it. */
  readonly onFound?: ((finding: string) => void) | undefined;
}

export interface CountContext extends ReadContext {
  /** More rows than this need not be counted. Infinity where all are wanted. */
  readonly limit: number;
}

/** One row, or the error of one row. An error of the source itself is thrown, and ends the reading. */
export type SourceRow =
  | { readonly position: number; readonly raw: Readonly<Record<string, unknown>> }
  | { readonly position: number; readonly error: RowError; readonly raw?: unknown };

/** The place of a row in the order of changes. */
export interface ChangePlace {
  /** Exact, in the source's own form: reading goes on behind it. */
  readonly exact: string;
  /** The value for people: a time or a number. null for one that may be content. */
  readonly shown: string | null;
  /** True if no row with this place, or one before it, can appear any more: no transaction that may still make one is open. */
  readonly isSettled: boolean;
}

/** A row that changed. `place` is null for a row that has none, and is read always: its column is NULL. */
export type ChangedRow = SourceRow & { readonly place: ChangePlace | null };

/** The ability to read only what changed. Each change gives its row a place behind all those that are settled. */
export interface ChangeReading {
  /** Names what tells the changes, for people: the column. */
  readonly by: string;
  /** All that decides which rows there are, as text: the statement, the values of its parameters, the column. It may hold content. */
  readonly basis: (parameters: Parameters) => Promise<string>;
  /**
   * The rows behind a place, in the order of their places, and then those that have none; without a place, all rows. Throws before the
   * first row where the changes can't be told.
   */
  readonly read: (since: string | undefined, context: ReadContext) => AsyncIterable<ChangedRow>;
}

/** Gives rows: lazily, in order, with back-pressure. */
export interface Source<Row extends object> {
  readonly name: string;
  readonly primaryKeyColumn: keyof Row & string;
  /** True if the names of its columns are read with the data, as those of a CSV file: then they are content, and stand in no message. @default false */
  readonly namesAreData?: boolean | undefined;
  /** Applied to each row by the engine, in one place. */
  readonly schema?: RowSchema<Row> | undefined;
  /** The packages and environment variables that `check` looks for. */
  readonly requirements?: Requirements | undefined;
  /** The files that it reads, as absolute paths: a run that would write to one of them does not start. @default none */
  readonly files?: readonly string[] | undefined;
  /** The files of databases that it reads, as absolute paths: of a run's parts only a sink may use them too. @default none */
  readonly databaseFiles?: readonly string[] | undefined;
  /** Rows in the source's order; `position` counts them from 1. Each call reads anew. */
  readonly read: (context: ReadContext) => AsyncIterable<SourceRow>;
  /**
   * Counts the rows that `read` would give, for progress only; it is called while `read` reads. Resolves to undefined where
   * the source can't tell. Where it throws, the run goes on without a count.
   */
  readonly count?: (context: CountContext) => Promise<number | undefined>;
  /**
   * Finds rows by primary key, as they are now: of each key one row, as `read` would give it, in any order. Other rows, and keys
   * that `read` would give no row for, are left out. Keys are texts: a number or bigint in decimal digits, a boolean as `true` or
   * `false`, a date as ISO 8601 in UTC, bytes as hexadecimal digits. There may be many: a database is asked in batches of keys, a
   * file is read once. Resolves to undefined where rows can't be found by key; a replay then takes them as they failed.
   *
   * @default rows can't be found by key
   */
  readonly find?: (pks: readonly string[], context: ReadContext) => Promise<AsyncIterable<SourceRow> | undefined>;
  /** Given if runs are to read only what changed since the last one, and rows that are due: those are found by key, so it needs `find`. @default runs read every row */
  readonly changes?: ChangeReading | undefined;
}

/** A source whose row type does not matter. */
export type AnySource = Omit<Source<object>, "primaryKeyColumn"> & { readonly primaryKeyColumn: string };

/**
 * The slice of the Standard Schema interface (https://standardschema.dev, version 1) that is used here:
 * Zod, Valibot and ArkType schemas fit it.
 */
export interface RowSchema<Row> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Row> | Promise<SchemaResult<Row>>;
    readonly types?: { readonly input: unknown; readonly output: Row } | undefined;
  };
}

export type SchemaResult<Row> =
  | { readonly value: Row; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };
