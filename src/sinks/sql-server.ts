import type { Requirements } from "../contracts/requirements.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { SinkError } from "../errors/sink.ts";
import { checkOptions, isDuration, optional } from "../errors/options.ts";
import { connectionChecks, type SQLServerConnectionOptions } from "../sql-server/connect/connection-options.ts";
import { SQLServerConnection } from "../sql-server/connect/connection.ts";
import { sqlServerDialect } from "../sql-server/dialect.ts";
import { retryDelaysMs } from "../sql-server/error-meaning.ts";
import { tableIdentity } from "../sql-server/identifiers.ts";
import { tableSession } from "../table/session.ts";
import { type NamedTable, namedTable, tableChecks } from "../table/strategy.ts";
import type { ColumnMap, Sink, SinkContext, SinkSession, SinkGroups, SinkTable } from "../contracts/sink.ts";
import type { SQLDialect } from "../contracts/target.ts";

interface SQLServerSinkSettings<State, Column extends string> extends SQLServerConnectionOptions {
  /**
   * The table, which must exist: `visits` (in the schema dbo), `sales.visits` or `[my schema].[odd]]name]`. It is looked for in the
   * database of the connection.
   */
  readonly targetTable: string;
  /** The value of each column. A column that is not here keeps what it holds, and gets its default in a new row. */
  readonly columnMap: ColumnMap<State, Column>;
  /**
   * How long the server may be unavailable (failing over, restarting, busy, locked by others) before the run stops, in milliseconds. It can be
   * resumed.
   * @default 300,000
   */
  readonly sinkTimeoutMs?: number | undefined;
}

export type SQLServerSinkOptions<State, Column extends string> = SQLServerSinkSettings<State, Column> &
  (
    | {
        /**
         * `merge` inserts a row, or updates the one with its key, by MERGE; `update_insert` does the same with UPDATE and INSERT, for servers
         * and teams without MERGE. `update` enriches a table in place: a key that no row has is a row error. @default "merge"
         */
        readonly strategy?: "merge" | "update_insert" | "update" | undefined;
        /** The columns by which rows are found: they need a primary key or a unique index of their own. */
        readonly mergeKeys: readonly NoInfer<Column>[];
        /**
         * Those of `mergeKeys` that all items of a row share, for a sink behind `each`: functions of `s.pk` alone. Rows of the table that a row no
         * longer has are deleted, which takes the right to DELETE; only with a strategy that merges. @default the sink takes one row for each row
         */
        readonly groupKey?: readonly NoInfer<Column>[] | undefined;
      }
    | {
        /** Adds rows only: one that a unique index of the table rejects is a row error. */
        readonly strategy: "insert";
        readonly mergeKeys?: undefined;
        readonly groupKey?: undefined;
      }
  );

export const dialect: SQLDialect = sqlServerDialect;

/**
 * Writes to a table of SQL Server, each batch in one transaction: the rows are loaded into a temporary table, and taken from there by
 * one statement or two.
 *
 * @throws {OptionError} at construction; `open` throws a SinkError for a server that can't be reached, a TargetError for a table that does
 * not fit; `write` a SinkDataError where the server rejects the data.
 */
export class SQLServerSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "sql-server";
  readonly keepsRows = true;
  readonly columnMap: ColumnMap<State, Column>;
  readonly requirements: Requirements;
  readonly table: SinkTable;
  readonly groups: SinkGroups | undefined;
  readonly #server: SQLServerConnection;
  readonly #named: NamedTable;
  readonly #timeoutMs: number;

  constructor(options: SQLServerSinkOptions<State, Column>) {
    checkOptions<SQLServerSinkOptions<State, Column>>("SQLServerSink", options, {
      ...connectionChecks,
      ...tableChecks("merge", "update_insert", "insert", "update"),
      sinkTimeoutMs: optional(isDuration(0)),
    });
    this.#named = namedTable("SQLServerSink", sqlServerDialect, options);
    if (this.#named.table.table.startsWith("#")) {
      const facts = { expected: "a lasting table", got: "a temporary one" };
      throw new OptionError("SQLServerSink", "targetTable", "", facts);
    }
    this.columnMap = options.columnMap;
    this.table = this.#named.facts;
    this.groups = this.#named.groups;
    this.#timeoutMs = options.sinkTimeoutMs ?? 300_000;
    this.#server = new SQLServerConnection("SQLServerSink", options);
    this.requirements = this.#server.requirements;
  }

  /**
   * Server, database, schema and table in lower case, whatever their spelling.
   *
   * @throws {SettingError} if neither an option nor the environment gives a connection
   */
  get identity(): string {
    return `${this.#server.identity}/${tableIdentity(this.#named.table)}`;
  }

  readonly open = async ({ signal }: SinkContext): Promise<SinkSession> => {
    const { pool, driver } = await this.#server.open({ signal, fail, waitMs: this.#timeoutMs });
    const { place, close } = this.#server;
    const connection = { ...place, pool, driver, signal, patienceMs: this.#timeoutMs, retryDelaysMs, close };
    return await tableSession(sqlServerDialect, connection, { ...this.#named, sink: sqlServerDialect.name });
  };
}

function fail(problem: string, options?: ErrorOptions): SinkError {
  return new SinkError(sqlServerDialect.name, problem, options);
}
