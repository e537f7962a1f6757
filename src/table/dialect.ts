import type { ErrorFacts } from "../errors/facts.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import type { KeyPart } from "../files/key-set.ts";
import type { ColumnLimit, ColumnValues } from "../contracts/sink.ts";
import type { SQLDialect } from "../contracts/target.ts";

/**
 * How one database of tables is looked at and written to; a database is a dialect, a writer, and a sink that names them. All that is
 * the same for tables everywhere is in this folder: the preflight, the check of values, the keys of a run, the loop of retries.
 *
 * `Value` is the type of a cell as the database is given it; `Column` has what the writer needs to know of a column.
 */
export interface TableDialect<
  Connection extends TableConnection = never,
  Column extends TableColumn<Value> = never,
  Value = unknown,
> extends SQLDialect {
  readonly names: TableNames;
  /**
   * Describes the table of the request, or says that it is missing. May throw a SinkError or TargetError of its own, for what concerns
   * more than the table; {@link TableDialect.meaningOf} explains anything else.
   */
  readonly describe: (
    connection: Connection,
    request: TableRequest,
  ) => Promise<TableFacts<Column, Value> | MissingTable>;
  readonly keys: (target: Target<Column, Value>) => TableKeys<Value>;
  /** The target is undefined in the preflight. */
  readonly meaningOf: (
    error: unknown,
    connection: Connection,
    target: Target<Column, Value> | undefined,
    attempts: FailedAttempts,
  ) => ErrorMeaning;
  readonly writer: (
    connection: Connection,
    target: Target<Column, Value>,
    errors: WriterErrors,
  ) => TableWriter<Column, Value>;
}

/** The attempts that an error ended. */
export interface FailedAttempts {
  /** How long it was tried, from the first failure to the last, in milliseconds. 0 before it is given up. */
  readonly triedForMs: number;
  /** Rows were being written: an error of anything else is no row's. */
  readonly isWriting: boolean;
}

/** An open connection, which the session closes. */
export interface TableConnection {
  /** Ends each wait. */
  readonly signal: AbortSignal;
  /** How long passing errors are tried again, in milliseconds. */
  readonly patienceMs: number;
  /** The waits between attempts: they double from the shortest to the longest, each with full jitter, in milliseconds. */
  readonly retryDelaysMs: { readonly shortest: number; readonly longest: number };
  readonly close: (outcome?: "completed" | "stopped") => Promise<void>;
}

/**
 * How rows that are there are treated: `merge` and `update_insert` add a row or update the one with its key, `update` changes rows that
 * are there, `insert` adds rows only.
 */
export type Strategy = "merge" | "update_insert" | "update" | "insert";

/** A table's name in its parts, unquoted. */
export interface TableName {
  /** Undefined where the name has one part. */
  readonly schema: string | undefined;
  readonly table: string;
}

export type ParsedName =
  | { readonly ok: true; readonly name: TableName }
  | { readonly ok: false; readonly problem: string; readonly facts?: ErrorFacts };

export interface TableNames {
  /** Parses a name as a user writes it. The problem may be empty if the facts say all. */
  readonly parse: (text: string) => ParsedName;
  readonly quote: (name: string) => string;
  /** The same for a name that is made of others, and cut where that is too long. @default quote */
  readonly quoteMade?: (name: string) => string;
  readonly quoteTable: (name: TableName) => string;
  /** Equal for names that are one column's in every database of this kind. */
  readonly fold: (name: string) => string;
  /** Why nothing can have this name. */
  readonly problemOf: (name: string) => string | undefined;
}

/** The table that is to be written, and how. */
export interface TableRequest {
  /** Its name, for errors. */
  readonly sink: string;
  readonly table: TableName;
  readonly columns: readonly string[];
  /** None when inserting. */
  readonly mergeKeys: readonly string[];
  readonly strategy: Strategy;
  /** True if a row of the source may have several rows in it: then rows are deleted, too. */
  readonly hasGroups: boolean;
}

/** A table as the catalog has it. */
export interface TableFacts<Column extends TableColumn<Value>, Value = unknown> {
  /** Its database, for messages: a path, or server and database. */
  readonly place: string;
  /** For messages: `visits`, `dbo.visits`. */
  readonly name: string;
  /** The name for a statement. */
  readonly quoted: string;
  /** Why it can't be written to; completes `"visits" in clinic.db …`. */
  readonly problem: string | undefined;
  readonly columns: readonly Column[];
  readonly uniqueKeys: readonly UniqueKey[];
  /** Equal for names that this database takes for one column's. */
  readonly foldName: (name: string) => string;
  /** @default true */
  readonly mayInsert?: boolean | undefined;
}

/** Columns that no two rows share. */
export interface UniqueKey {
  readonly index: string;
  readonly isPrimary: boolean;
  /** Why it does not hold for all rows; completes `the index "i" is …`. */
  readonly unusable: string | undefined;
  readonly columns: readonly { readonly name: string; readonly collation?: string | undefined }[];
}

/** There is no such table, as far as the login sees. */
export interface MissingTable {
  /** The database in which it was looked for, for messages: a path, or server and database. */
  readonly place: string;
  /** As it was looked for: `visits`, `dbo.visits`. */
  readonly wanted: string;
  /** Added to the message. */
  readonly note?: string | undefined;
  /** Those that are there, in the same form. */
  readonly otherTables: readonly string[];
  /** For where there is none. */
  readonly ifNone: string;
}

export interface TableColumn<Value = unknown> {
  readonly name: string;
  /** It takes NULL where the strategy writes it. */
  readonly isNullable: boolean;
  /** A new row has to be given a value: the column is NOT NULL, and the database fills it with none. */
  readonly isRequired: boolean;
  /** Why it can't be written as the request wants it; completes `the column "c" of "visits" …`. */
  readonly problem?: string | undefined;
  /** The value as the database is given it, or why the column can't hold it. Asked of no NULL. */
  readonly fit: (value: unknown) => Fitted<Value>;
  /** In the words of JSON Schema, as far as they can say what fits. */
  readonly limit: ColumnLimit["schema"];
  /** Why a value that fits is more than the column is declared for, where the database does not enforce that. */
  readonly exceeds?: ((value: unknown) => string | undefined) | undefined;
  /** @default true */
  readonly maySelect?: boolean | undefined;
  /** @default true */
  readonly mayUpdate?: boolean | undefined;
}

/** A value as it is written, or why it can't be, without its content. */
export type Fitted<Value> =
  | { readonly ok: true; readonly value: Value }
  | {
      readonly ok: false;
      readonly problem: string;
      /** The same for a model, of the value alone: `must be true or false`. null where no answer of a model fits. */
      readonly demand: string | null;
    };

/** A table that fits: what is written, and by which key. */
export interface Target<Column extends TableColumn<Value>, Value = unknown> {
  readonly table: TableFacts<Column, Value>;
  readonly strategy: Strategy;
  /** In the order of the column map. */
  readonly columns: readonly TargetColumn<Column>[];
  /** Those of `columns` that are the merge keys; none when inserting. */
  readonly keys: readonly TargetColumn<Column>[];
  /** True if rows are deleted, too. */
  readonly hasGroups: boolean;
  /** The key of the table that the merge keys are. */
  readonly uniqueKey: UniqueKey | undefined;
  /** Those of `columns` that no two rows share, if there are such: by them an insert whose commit is in doubt is found. */
  readonly proof: readonly TargetColumn<Column>[];
}

export type TargetColumn<Column> = Column & {
  /** Its name in the column map, which may differ in letter case. */
  readonly mapped: string;
  /** Its place among the target's columns, and so among a row's cells. */
  readonly place: number;
  readonly isKey: boolean;
};

/** How the keys of one target compare. A key has a cell for each of the target's keys, none of them NULL. */
export interface TableKeys<Value> {
  /** The key as the journal has it: equal wherever the target holds keys equal. It may be for others, too; a cell may be NULL. */
  readonly text: (key: readonly (Value | null)[]) => string;
  /** The key by which the rows of a run are compared: equal only where the target holds keys equal, as far as that is known here. */
  readonly parts: (key: readonly Value[]) => readonly KeyPart[];
  /** The types of the parts: see `KeySet`. @default one text */
  readonly types?: readonly string[] | undefined;
}

/** A row on its way into the database. */
export interface StagedRow<Value> {
  /** As they came, for messages. */
  readonly values: ColumnValues;
  /** One for each column of the target. */
  readonly cells: readonly (Value | null)[];
}

/**
 * A row's key in the spelling of the target, where only the database knows which keys its collation holds equal. Both are texts as
 * {@link TableKeys.parts} makes one of the row's own.
 */
export interface StoredKey {
  /** The row's own key, with each text as the target has it. */
  readonly claimed: string;
  /** All as the target has it. */
  readonly written: string;
}

export interface WriteContext<Value = never> {
  /** Rows that are deleted before the others are written, in the same transaction: with cells for the keys only. */
  readonly gone: readonly StagedRow<Value>[];
  /** The batch may be there already: the answer to its commit was lost. */
  readonly isInDoubt: boolean;
  /**
   * Of a writer that knows stored keys, called before the commit with the key of each row, in their order. It throws where a key is
   * that of another row of the run.
   */
  readonly guard: (keys: readonly StoredKey[]) => void;
  /** How long it may wait for the database, in milliseconds: for a connection, for locks of others. */
  readonly leftMs: number;
}

/** The errors that a writer makes itself. */
export interface WriterErrors {
  /** A row was left out: a row error, with the key of the row's `values` in its detail. */
  readonly leftOut: (problem: string, values: ColumnValues | undefined, facts?: ErrorFacts) => Error;
  /** The same for an update that finds no row with the key. */
  readonly unknownKey: (values: ColumnValues) => Error;
  /** A row that was to be deleted is still there: a row error. */
  readonly notDeleted: (values: ColumnValues | undefined) => Error;
  /** Two rows have one key. */
  readonly sameKey: (values: ColumnValues | undefined) => Error;
  /** Nothing can be written: it ends the run. */
  readonly fail: (problem: string, options?: ErrorOptions) => Error;
}

/** The part of a database that writes SQL. Each function is one attempt: what passes is tried again by the one who calls. */
export interface TableWriter<Column extends TableColumn<Value>, Value = unknown> {
  /** Does all but the rows and the commit: what the database would reject of the statements themselves, it rejects now. */
  readonly prove: () => Promise<void>;
  /**
   * Writes the rows in one transaction, and deletes those that are gone. What the database does not reject itself, `WriterErrors` do.
   *
   * @throws {CommitInDoubtError} if the rows may be there or not
   */
  readonly write: (rows: readonly StagedRow<Value>[], context: WriteContext<Value>) => Promise<void>;
  /** Looks for a row: with this key, or any; and, if columns are to be `filled`, with one of them not NULL. */
  readonly find: (key: readonly Value[], filled: readonly TargetColumn<Column>[]) => Promise<boolean>;
}

/** Why something failed. `passing`: it may well go a little later; `data`: the rows are to blame, so that others can be written. */
export interface ErrorMeaning {
  readonly kind: "passing" | "data" | "fatal";
  /** The message; for a passing error, when it did not pass. It holds no content. */
  readonly problem: string;
  /** The same with content, for files of mode 0600. */
  readonly detail?: string | undefined;
  readonly facts?: ErrorFacts | undefined;
  /** Of a passing error, the least wait that the database asks for, in milliseconds. @default 0 */
  readonly leastWaitMs?: number | undefined;
  /** Of a passing error, how often it is tried again at most. */
  readonly mostRetries?: number | undefined;
  /** Of a passing error, how long the attempt itself had waited for the database, in milliseconds. @default 0 */
  readonly waitedMs?: number | undefined;
}

/** The commit failed in a way that leaves open whether it was carried out. Its cause says what happened. */
export class CommitInDoubtError extends Error {
  constructor(cause: unknown) {
    super("the outcome of a commit is not known", { cause });
    this.name = "CommitInDoubtError";
  }
}
