import type { DatabaseSync } from "node:sqlite";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { SinkError } from "../errors/sink.ts";
import { checkMergeKeys } from "../table/merge-keys.ts";
import { messageOf } from "../errors/thrown.ts";
import { checkOptions, isFunctionMap, isName, isOneOf, isPath, isTextList, optional } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";
import { isKind, isSQLiteError } from "../sqlite/errors.ts";
import { foldName, tableInMain } from "../sqlite/identifiers.ts";
import { openDatabase, requireDatabaseFile, untilUnlocked } from "../sqlite/open.ts";
import { findTarget, type Strategy, type Target } from "../sqlite/target.ts";
import { requireWritable, setWAL } from "../sqlite/write-access.ts";
import { WriteSession } from "../sqlite/write-session.ts";
import type { ColumnMap, Sink, SinkContext, SinkSession } from "../contracts/sink.ts";

interface SQLiteSinkSettings<State, Column extends string> {
  /** The database file: relative to the working directory, or a file: URL. It must exist: a sink creates none. */
  readonly databasePath: string | URL;
  /**
   * The table, which must exist: `visits` or `main.visits`. A name with other characters than letters, digits,
   * `_ $ # @ -` is quoted, with a quote in it doubled: `"odd ""name"""`, or as in SQL Server `[odd]]name]`.
   */
  readonly targetTable: string;
  /** What goes into each column. Columns are matched as SQLite does, whatever the case of A to Z. */
  readonly columnMap: ColumnMap<State, Column>;
}

export type SQLiteSinkOptions<State, Column extends string> = SQLiteSinkSettings<State, Column> &
  (
    | {
        /**
         * `merge` inserts a row, or updates the one with its key. `update` enriches a table in place: a key that
         * no row has is a row error. @default "merge"
         */
        readonly strategy?: "merge" | "update" | undefined;
        /** The columns by which rows are found: they need a primary key or a unique index of their own. */
        readonly mergeKeys: readonly NoInfer<Column>[];
      }
    | {
        /** Adds rows only: one that is there already is a row error. */
        readonly strategy: "insert";
        readonly mergeKeys?: undefined;
      }
  );

/**
 * Writes to a table of a SQLite database, each batch in one transaction.
 *
 * Opening sets the database to WAL (it stays so), so that a source can read the file that this sink writes. While
 * a source is being read the `-wal` file grows by what is written.
 *
 * @throws {OptionError} at construction; `open` throws a SinkError for a database that can't be written, a
 * TargetError for a table that does not fit; `write` a SinkDataError where the database refuses the data.
 */
export class SQLiteSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "sqlite";
  /** The absolute path and the table, as they are found whatever their spelling (but for symbolic links). */
  readonly identity: string;
  readonly keepsRows = true;
  readonly columnMap: ColumnMap<State, Column>;
  readonly targetTable: string;
  /** None when inserting. */
  readonly mergeKeys: readonly string[];
  readonly strategy: Strategy;
  readonly #databasePath: string;
  readonly #table: string;

  constructor(options: SQLiteSinkOptions<State, Column>) {
    checkOptions<SQLiteSinkOptions<State, Column>>("SQLiteSink", options, {
      databasePath: isPath,
      targetTable: isName,
      columnMap: isFunctionMap,
      strategy: optional(isOneOf("merge", "insert", "update")),
      mergeKeys: optional(isTextList),
    });
    const { databasePath, targetTable, columnMap, strategy = "merge", mergeKeys } = options;
    const parsed = tableInMain(targetTable);
    if (!parsed.ok) throw new OptionError("SQLiteSink", "targetTable", parsed.problem);
    this.columnMap = columnMap;
    this.targetTable = targetTable;
    this.#databasePath = absolutePath(databasePath);
    this.#table = parsed.table;
    this.strategy = strategy;
    refuseTwins(Object.keys(columnMap));
    this.mergeKeys = checkMergeKeys("SQLiteSink", strategy, mergeKeys, Object.keys(columnMap));
    this.identity = `${this.#databasePath}/${foldName(this.#table)}`;
  }

  readonly open = async (context: SinkContext): Promise<SinkSession> => {
    return await this.#open(context, (database) => setWAL(database, this.#databasePath, fail));
  };

  /** As `open`, but that the database is not set to WAL. */
  readonly preflight = async (context: SinkContext): Promise<Omit<SinkSession, "write">> => {
    return await this.#open(context, () => {});
  };

  async #open({ signal }: SinkContext, prepare: (database: DatabaseSync) => void): Promise<SinkSession> {
    signal.throwIfAborted();
    await requireDatabaseFile(this.#databasePath, fail);
    const database = await this.#unlocked(() => openDatabase(this.#databasePath, false, fail), signal);
    try {
      const target = await this.#unlocked(() => this.#findTarget(database, prepare), signal);
      return new WriteSession(database, target, fail, (attempt) => this.#unlocked(attempt, signal));
    } catch (error) {
      database.close();
      throw error;
    }
  }

  #findTarget(database: DatabaseSync, prepare: (database: DatabaseSync) => void): Target {
    const target = findTarget(database, {
      sink: this.name,
      databasePath: this.#databasePath,
      table: this.#table,
      columns: Object.keys(this.columnMap),
      mergeKeys: this.mergeKeys,
      strategy: this.strategy,
    });
    requireWritable(database, this.#databasePath, fail);
    prepare(database);
    return target;
  }

  async #unlocked<Result>(attempt: () => Result, signal: AbortSignal): Promise<Result> {
    try {
      return await untilUnlocked(attempt, signal);
    } catch (cause) {
      if (!isSQLiteError(cause)) throw cause;
      if (!isKind(cause, "busy"))
        throw fail(`the database ${this.#databasePath} failed (${messageOf(cause)})`, { cause });
      const advice = "end the transaction of the program that holds it";
      throw fail(`${this.#databasePath} stayed locked by another connection for 5 seconds; ${advice}`, { cause });
    }
  }
}

function refuseTwins(columns: readonly string[]): void {
  const folded = columns.map(foldName);
  const twice = columns.find((column, index) => folded.indexOf(foldName(column)) !== index);
  if (twice === undefined) return;
  throw new OptionError("SQLiteSink", "columnMap", `"${twice}" is there twice: SQLite ignores the case of letters`);
}

function fail(problem: string, options?: ErrorOptions): SinkError {
  return new SinkError("sqlite", problem, options);
}
