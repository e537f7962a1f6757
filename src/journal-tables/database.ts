import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import type { WorkOptions } from "../table/pooled-work.ts";
import type { PassingError } from "../table/retry.ts";
import type { Cell, ColumnKind, Line } from "./tables.ts";

/** Asks on one connection; the rows of the answer have the driver's values, and are the asker's own. */
export type Ask = (sql: string, values?: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;

/** The columns of lines that a statement is given, with their kinds. */
export type GivenColumns = readonly (readonly [name: string, kind: ColumnKind])[];

/** Writes a statement, and adds its values to those of the statements that go with it. */
export type Statement = (values: unknown[]) => string;

/** A database that may hold a journal: all that differs from one to the other. */
export interface JournalDatabase {
  /** The journal, in messages. */
  readonly identity: string;
  readonly schema: string;
  /** The longest time that it may be away, in milliseconds. */
  readonly timeoutMs: number;
  readonly dialect: JournalDialect;
  /** Connects. @throws {JournalError} if that can't be; the signal's reason */
  readonly open: (signal: AbortSignal) => Promise<OpenDatabase>;
  /** The waits that are of use while it is away, or takes no writes for a while, as after a failover; else undefined. */
  readonly passing: (error: unknown) => PassingError | undefined;
  /** `missing`: there is no such table, or no such schema. `permission`: the user may not. */
  readonly kindOf: (error: unknown) => "missing" | "permission" | undefined;
  /** The reason why it is away, or why something failed, with the next step. The message holds neither content nor a secret. */
  readonly problem: (error: unknown, isAway: boolean) => { readonly problem: string; readonly options: ErrorOptions };
  /** The bytes that its tables take, with their indexes; null where that can't be told. @default it can't be told */
  readonly size?: ((ask: Ask) => Promise<number | null>) | undefined;
  /** The statements that let the user of a run use the journal. */
  readonly grants: string;
}

export interface OpenDatabase {
  /** Does work on one connection. */
  readonly use: DoWork;
  /**
   * Makes changes in one transaction, in as few round trips as it can. The first statement is their admission: where it is not given, none is
   * made, and the result is false.
   *
   * @throws {CommitInDoubtError}
   */
  readonly changeAtOnce: (
    signal: AbortSignal,
    statements: readonly [admission: Statement, ...changes: Statement[]],
    limits?: WorkOptions,
  ) => Promise<boolean>;
  /** Does work in one transaction, which the second part of its result commits. @throws {CommitInDoubtError} */
  readonly transact: <Result>(
    signal: AbortSignal,
    work: (ask: Ask) => Promise<readonly [result: Result, commit: boolean]>,
    limits?: WorkOptions,
  ) => Promise<Result>;
  /**
   * One more connection, for locks, which end with it. One attempt.
   *
   * @throws {JournalError} if locks are worth nothing there; what the driver throws
   */
  readonly lockConnection: (signal: AbortSignal) => Promise<LockConnection>;
  readonly close: () => Promise<void>;
}

export type DoWork = <Result>(
  signal: AbortSignal,
  work: (ask: Ask) => Promise<Result>,
  limits?: WorkOptions,
) => Promise<Result>;

export type LockKind = "alone" | "shared";

export interface LockConnection {
  readonly ask: Ask;
  /** Tries once. */
  readonly tryToLock: (name: string, kind: LockKind) => Promise<boolean>;
  readonly unlock: (name: string, kind: LockKind) => Promise<void>;
  /** Calls when the connection is gone, and its locks with it. */
  readonly onceGone: (call: () => void) => void;
  /** Resolves where the connection still leads to the server that takes writes. */
  readonly prove: () => Promise<void>;
  /** Ends it, also where the network is silent. */
  readonly end: () => Promise<void>;
}

export interface DatabaseState {
  /** The user may write all tables of the journal. */
  readonly mayWrite: boolean;
  /** Completes "the server …": undefined where it takes writes. */
  readonly readOnly: string | undefined;
  /** Completes "the database …", where it can't keep every text. */
  readonly unfit?: string | undefined;
}

/** `alone`: no other session saves at the same time. `at-once`: of changes that go with it. */
export type Admission = "shared" | "alone" | "at-once";

/** The SQL of a database. A table's name is given with its schema, quoted. */
export interface JournalDialect {
  readonly quote: (name: string) => string;
  /** The place of a value, counted from 1. */
  readonly parameter: (number: number) => string;
  readonly toValue: (kind: ColumnKind, cell: Cell) => unknown;
  readonly toCell: (kind: ColumnKind, value: unknown) => Cell;
  /** A text begins with a value, or holds it: letter by letter. */
  readonly begins: (column: string, value: string) => string;
  readonly has: (column: string, value: string) => string;
  /** Lines as a table `k`, with a column `llm_etl_place` that counts them from 1; their values are added to others. */
  readonly lines: (columns: GivenColumns, lines: readonly Line[], values: unknown[]) => string;
  /** Adds the lines `k` in their order, or sets the columns of those that are there with the key. An empty key is never there. */
  readonly put: (table: string, key: readonly string[], columns: readonly string[], k: string) => string;
  /**
   * The admission of a save, with the values name and epoch of a pipeline, session and number of the save. Where the epoch is the pipeline's and the
   * number is greater than the session's last one, it stores the number, makes the commit wait for the disk, and gives one line with the
   * database's clock as `now`, in milliseconds since 1970; else none. The pipeline's line stays locked until the commit: against change, or against other saves,
   * too. One for changes at once may be an error where it is not given.
   */
  readonly admit: (pipelines: string, sessions: string, forWhat: Admission) => string;
  /** The lines of `pipelines` whose lock, of the name in the column `lock_name`, some connection has; the newest first. */
  readonly held: (pipelines: string) => string;
  readonly state: (ask: Ask, schema: string) => Promise<DatabaseState>;
}
