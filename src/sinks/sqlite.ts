import { checkOptions, isBoolean, isDuration, isPath, optional } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";
import { connect } from "../sqlite/connection.ts";
import { sqliteDialect } from "../sqlite/dialect.ts";
import { foldName } from "../sqlite/identifiers.ts";
import { databaseFilesOf, lockWait } from "../sqlite/open.ts";
import { tableSession } from "../table/session.ts";
import { type NamedTable, namedTable, tableChecks } from "../table/strategy.ts";
import type { ColumnMap, Sink, SinkContext, SinkSession, SinkGroups, SinkTable } from "../contracts/sink.ts";
import type { SQLDialect } from "../contracts/target.ts";

export const dialect: SQLDialect = sqliteDialect;

interface SQLiteSinkSettings<State, Column extends string> {
  /** The database file: relative to the working directory, or a file: URL. It must exist: a sink creates none. */
  readonly databasePath: string | URL;
  /**
   * The table, which must exist: `visits` or `main.visits`. A name with other characters than letters, digits,
   * `_ $ # @ -` is quoted, with a quote in it doubled: `"odd ""name"""`, or as in SQL Server `[odd]]name]`.
   */
  readonly targetTable: string;
  /** The value of each column. Columns are matched as SQLite does, whatever the case of A to Z. */
  readonly columnMap: ColumnMap<State, Column>;
  /**
   * The longest time that a lock of another program on the database is waited for, in milliseconds, before the run stops: no row is
   * lost, and calls go on meanwhile. @default 60,000
   */
  readonly busyTimeoutMs?: number | undefined;
  /**
   * A column of INTEGER, REAL or NUMERIC affinity stores a text that spells a number as that number: "007" as 7. Where the number, in plain
   * decimal digits, is not the text, the row fails; `true` stores the number. @default false
   */
  readonly coerce?: boolean | undefined;
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
        /**
         * Those of `mergeKeys` that all items of a row share, for a sink behind `each`: functions of `s.pk` alone. Rows of the table that a row no
         * longer has are deleted, which takes the right to DELETE; only with a strategy that merges. @default the sink takes one row for each row
         */
        readonly groupKey?: readonly NoInfer<Column>[] | undefined;
      }
    | {
        /** Adds rows only: one that is there already is a row error. */
        readonly strategy: "insert";
        readonly mergeKeys?: undefined;
        readonly groupKey?: undefined;
      }
  );

/**
 * Writes to a table of a SQLite database, each batch in one transaction.
 *
 * Opening sets the database to WAL (it stays so), so that a source can read the file that this sink writes. While
 * a source is being read the `-wal` file grows by what is written.
 *
 * @throws {OptionError} at construction; `open` throws a SinkError for a database that can't be written, a
 * TargetError for a table that does not fit; `write` a SinkDataError where the database rejects the data.
 */
export class SQLiteSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "sqlite";
  /** The absolute path and the table, as they are found whatever their spelling (but for symbolic links). */
  readonly identity: string;
  readonly keepsRows = true;
  readonly columnMap: ColumnMap<State, Column>;
  readonly table: SinkTable;
  readonly groups: SinkGroups | undefined;
  readonly databaseFiles: readonly string[];
  readonly #databasePath: string;
  readonly #named: NamedTable;
  readonly #busyTimeoutMs: number;
  readonly #coerces: boolean;

  constructor(options: SQLiteSinkOptions<State, Column>) {
    const checks = {
      databasePath: isPath,
      busyTimeoutMs: optional(isDuration(0)),
      coerce: optional(isBoolean),
      ...tableChecks("merge", "insert", "update"),
    };
    checkOptions<SQLiteSinkOptions<State, Column>>("SQLiteSink", options, checks);
    this.#named = namedTable("SQLiteSink", sqliteDialect, options);
    this.#databasePath = absolutePath(options.databasePath);
    this.columnMap = options.columnMap;
    this.#busyTimeoutMs = options.busyTimeoutMs ?? lockWait.patienceMs;
    this.#coerces = options.coerce ?? false;
    this.table = this.#named.facts;
    this.groups = this.#named.groups;
    this.databaseFiles = databaseFilesOf(this.#databasePath);
    this.identity = `${this.#databasePath}/${foldName(this.#named.table.table)}`;
  }

  readonly open = async ({ signal }: SinkContext): Promise<SinkSession> => await this.#open(signal, false);

  /** As `open`, but that the database is not set to WAL. */
  readonly preflight = async ({ signal }: SinkContext): Promise<Omit<SinkSession, "write">> => {
    return await this.#open(signal, true);
  };

  async #open(signal: AbortSignal, isLook: boolean): Promise<SinkSession> {
    const use = { isLook, patienceMs: this.#busyTimeoutMs, coerces: this.#coerces };
    const connection = await connect(this.#databasePath, signal, use);
    const request = { ...this.#named, sink: this.name };
    return await tableSession(sqliteDialect, connection, request);
  }
}
