import type { Requirements } from "../contracts/requirements.ts";
import { type ErrorOptions, LLMEtlError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { SinkError } from "../errors/sink.ts";
import { createTable } from "../table/ddl.ts";
import { type NamedTable, namedTable, tableChecks } from "../table/strategy.ts";
import { messageOf } from "../errors/thrown.ts";
import { checkOptions, isDuration, optional } from "../errors/options.ts";
import { readCatalog } from "../sql-server/write/catalog.ts";
import { connectionChecks, type SQLServerConnectionOptions } from "../sql-server/connect/connection-options.ts";
import { type OpenConnection, SQLServerConnection } from "../sql-server/connect/connection.ts";
import { names, quoteIdentifier, quoteTableName } from "../sql-server/identifiers.ts";
import { ddl } from "../sql-server/write/create-table.ts";
import { findTarget, type Target } from "../sql-server/write/target.ts";
import { driverFacts, retryTransient } from "../sql-server/connect/transient-errors.ts";
import { WriteSession } from "../sql-server/write/write-session.ts";
import type { ColumnMap, Sink, SinkContext, SinkSession, SinkTable } from "../contracts/sink.ts";
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
   * How long the server may be unavailable (failing over, restarting, busy) before the run stops, in milliseconds. It can be resumed.
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
      }
    | {
        /** Adds rows only: one that a unique index of the table refuses is a row error. */
        readonly strategy: "insert";
        readonly mergeKeys?: undefined;
      }
  );

const name = "sql-server";

export const dialect: SQLDialect = { name, createTable: (target, table) => createTable(ddl, target, table) };

/**
 * Writes to a table of SQL Server, each batch in one transaction: the rows are loaded into a temporary table, and taken from there by
 * one statement or two.
 *
 * @throws {OptionError} at construction; `open` throws a SinkError for a server that can't be reached, a TargetError for a table that does
 * not fit; `write` a SinkDataError where the server refuses the data.
 */
export class SQLServerSink<State, Column extends string = string> implements Sink<State> {
  readonly name: typeof name = name;
  readonly keepsRows = true;
  readonly columnMap: ColumnMap<State, Column>;
  readonly requirements: Requirements;
  readonly table: SinkTable;
  readonly #connection: SQLServerConnection;
  readonly #named: NamedTable;
  readonly #timeoutMs: number;

  constructor(options: SQLServerSinkOptions<State, Column>) {
    checkOptions<SQLServerSinkOptions<State, Column>>("SQLServerSink", options, {
      ...connectionChecks,
      ...tableChecks("merge", "update_insert", "insert", "update"),
      sinkTimeoutMs: optional(isDuration(0)),
    });
    this.#named = namedTable("SQLServerSink", { ...dialect, names }, options);
    if (this.#named.table.table.startsWith("#")) {
      throw new OptionError("SQLServerSink", "targetTable", "expected a lasting table, got a temporary one");
    }
    this.columnMap = options.columnMap;
    this.table = this.#named.facts;
    this.#timeoutMs = options.sinkTimeoutMs ?? 300_000;
    this.#connection = new SQLServerConnection("SQLServerSink", options);
    this.requirements = this.#connection.requirements;
  }

  /**
   * Server, database, schema and table in lower case, whatever their spelling.
   *
   * @throws {SettingError} if neither an option nor the environment gives a connection
   */
  get identity(): string {
    const table = [this.#schema, this.#named.table.table].map((part) =>
      /^[\p{L}\p{N}_]+$/u.test(part) ? part : quoteIdentifier(part),
    );
    return `${this.#connection.identity}/${table.join(".").toLowerCase()}`;
  }

  get #schema(): string {
    return this.#named.table.schema ?? "dbo";
  }

  readonly open = async ({ signal }: SinkContext): Promise<SinkSession> => {
    signal.throwIfAborted();
    const opened = await this.#connection.open({ signal, fail });
    try {
      const session = new WriteSession({
        sink: name,
        connection: opened,
        target: await this.#preflight(opened, signal),
        fail,
        signal,
        timeoutMs: this.#timeoutMs,
        onClose: this.#connection.close,
      });
      await session.prove();
      return session;
    } catch (error) {
      await this.#connection.close();
      throw error;
    }
  };

  async #preflight({ pool, driver }: OpenConnection, signal: AbortSignal): Promise<Target> {
    const { server, database } = this.#connection.place;
    const { table, columns, mergeKeys, strategy } = this.#named;
    const quoted = quoteTableName(table);
    const attempt = async (): Promise<Target> => {
      const catalog = await readCatalog(pool, quoted, driver.NVarChar(driver.MAX));
      return findTarget(catalog, {
        sink: name,
        place: `${server}/${database ?? catalog.server.database}`,
        schema: this.#schema,
        table: table.table,
        columns,
        mergeKeys,
        strategy,
      });
    };
    try {
      return await retryTransient(attempt, { signal, maxWaitMs: this.#timeoutMs });
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof LLMEtlError) throw cause;
      const { numbers, codes } = driverFacts(cause);
      const said = numbers[0] === undefined ? (codes[0] ?? "no error number") : `error ${numbers[0]}`;
      throw fail(`the catalog of ${server} can't be read (${said})`, { cause, detail: messageOf(cause) });
    }
  }
}

function fail(problem: string, options?: ErrorOptions): SinkError {
  return new SinkError(name, problem, options);
}
