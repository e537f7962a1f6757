import type { Requirements } from "../contracts/requirements.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { SourceError } from "../errors/source.ts";
import { checkOptions, isCount, isDuration, isName, isObject, isPath, optional } from "../errors/options.ts";
import { type QueryText, queryText, type QueryTextOptions } from "../table/query-text.ts";
import {
  connectionChecks,
  type ConnectionSeams,
  type SQLServerConnectionOptions,
} from "../sql-server/connect/connection-options.ts";
import { SQLServerConnection } from "../sql-server/connect/connection.ts";
import { bindParameters } from "../sql-server/parameters.ts";
import { type PageSettings, pagingParameters, ReadSession } from "../sql-server/read/read-session.ts";
import { type Finding, findRows } from "../sql-server/read/find-rows.ts";
import { checkChanges, type SQLServerChanges } from "../sql-server/read/change-options.ts";
import { changedRows } from "../sql-server/read/changed-rows.ts";
import { countingQuery, requireQuery } from "../sql-server/read/statement.ts";
import { queryBasis } from "../table/column-changes.ts";
import type { ChangedRow, ChangeReading } from "../contracts/source.ts";
import type { Parameters, ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";

interface SQLServerSourceSettings<Row extends object> extends SQLServerConnectionOptions {
  /** The result column that identifies a row: a value of its own for each row, never NULL. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** Checks and converts each row, and gives the type `Row`. Without it write `new SQLServerSource<Row>(…)`. */
  readonly schema?: RowSchema<Row> | undefined;
  /**
   * Values for the `@name` in the SQL, each under its bare name; those given at run time win. The type follows from the value: text
   * NVARCHAR, a whole number INT or BIGINT, another number FLOAT, a bigint BIGINT or DECIMAL(38,0), a boolean BIT, a Date
   * DATETIME2(7) in UTC, bytes VARBINARY, null NVARCHAR.
   */
  readonly parameters?: Parameters | undefined;
  /** Reads in pages: no SELECT stays open while steps work, and the reading survives a broken connection. @default one SELECT */
  readonly paging?: SQLServerPaging<Row> | undefined;
  /**
   * Lets runs read only what changed since the last one, and rows that are due (docs/changes.md). It reads in the order of the changes, so it
   * excludes `paging`.
   *
   * @default runs read every row
   */
  readonly changes?: SQLServerChanges | undefined;
  /** The longest time to try again after a transient failure or a failed connection, in milliseconds. @default 300,000 */
  readonly sourceTimeoutMs?: number | undefined;
}

/**
 * The settings for reading a query in pages. The query uses `@after` (NULL, then the last key of the page before) and
 * `@page_size`, and its keys are unique and ascending. Without OPTION (RECOMPILE) the server searches the table from its
 * beginning for each page.
 *
 * @example
 * SELECT TOP (@page_size) id, note FROM dbo.visits
 * WHERE (@after IS NULL OR id > @after) ORDER BY id OPTION (RECOMPILE)
 */
export interface SQLServerPaging<Row extends object> {
  /** The result column that orders the rows. It needs a unique index: without one, each page sorts the table. */
  readonly keyColumn: NoInfer<keyof Row & string>;
  /** The rows of a page, which are held in memory. @default 1,000 */
  readonly pageSize?: number | undefined;
}

export type SQLServerSourceOptions<Row extends object> = SQLServerSourceSettings<Row> & QueryTextOptions;

/**
 * Reads the rows of one query, as the server makes them, over a connection of its own (or of the `pool`).
 * docs/sql-server.md has the JavaScript value of each SQL type; no digit is lost, and a type without one is rejected.
 *
 * @throws {OptionError} at construction. `read` throws a {@link SourceError} before the first row for a server, a file, a query
 * or parameters that it can't use, and later for a connection that breaks, unless the query is read in pages.
 */
export class SQLServerSource<Row extends object> implements Source<Row> {
  readonly name = "sql-server";
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly requirements: Requirements;
  readonly files: readonly string[];
  readonly changes: ChangeReading | undefined;
  readonly #connect: () => SQLServerConnection;
  readonly #query: QueryText;
  readonly #parameters: Parameters;
  readonly #paging: PageSettings | undefined;
  readonly #sourceTimeoutMs: number;
  readonly #seams: ConnectionSeams;

  /** @param seams a test's own environment, driver and timer */
  constructor(options: SQLServerSourceOptions<Row>, seams: ConnectionSeams = {}) {
    checkOptions<SQLServerSourceOptions<Row>>(owner, options, {
      ...connectionChecks,
      primaryKeyColumn: isName,
      schema: optional(isObject),
      parameters: optional(isObject),
      paging: optional(isObject),
      changes: optional(isObject),
      sourceTimeoutMs: optional(isDuration(0)),
      sql: optional(isName),
      sqlFile: optional(isPath),
    });
    const { primaryKeyColumn, schema, parameters = {}, paging, sourceTimeoutMs = 300_000 } = options;
    const { connectionString, pool, tokenCredential } = options;
    this.primaryKeyColumn = primaryKeyColumn;
    this.schema = schema;
    this.#query = queryText(owner, options, fail);
    this.files = this.#query.files;
    this.#parameters = parameters;
    this.#paging = paging === undefined ? undefined : pageSettings(paging);
    this.#sourceTimeoutMs = sourceTimeoutMs;
    this.#seams = seams;
    // A connection for each reading: the first to end must not close that of another.
    const logins = { haveWorked: false };
    this.#connect = () => new SQLServerConnection(owner, { connectionString, pool, tokenCredential }, seams, logins);
    this.requirements = this.#connect().requirements;
    this.changes = this.#changesIn(options.changes);
  }

  readonly read = (context: ReadContext): AsyncGenerator<SourceRow> => this.#rows(context);

  /** Lets the server count the query's rows. Undefined for a query in pages, or with WITH, OPTION or FOR, which can't be counted. */
  readonly count = async ({ signal, parameters: given }: ReadContext): Promise<number | undefined> => {
    const text = await this.#query.read();
    const parameters = this.#bind(text, { ...this.#parameters, ...given });
    const counting = this.#paging === undefined ? countingQuery(text) : undefined;
    if (counting === undefined) return undefined;
    const connection = this.#connect();
    const { where } = this.#query;
    const session = new ReadSession({
      connection,
      signal,
      fail,
      where,
      text: counting,
      parameters,
      required: {},
      maxWaitMs: 0,
    });
    try {
      for await (const row of session.readAll()) return Number(row["row_count"]);
      return undefined;
    } finally {
      await connection.close();
    }
  };

  /**
   * Has the server look for the keys among the query's rows, a batch of keys at a time. Resolves to undefined for a query that it does not
   * run as a part of another one (FOR XML, say), and for keys that it does not compare (XML, TEXT).
   */
  readonly find = async (
    pks: readonly string[],
    context: ReadContext,
  ): Promise<AsyncGenerator<SourceRow, void, undefined> | undefined> =>
    await findRows({ ...(await this.#statement(context)), paging: this.#paging }, pks);

  /** All that a reading of the statement needs but its connection. */
  async #statement({ signal, parameters: given }: ReadContext): Promise<Omit<Finding, "paging">> {
    signal.throwIfAborted();
    const text = await this.#query.read();
    const parameters = this.#bind(text, { ...this.#parameters, ...given });
    const { where } = this.#query;
    const { sleep } = this.#seams;
    const { primaryKeyColumn } = this;
    const connect = this.#connect;
    return {
      connect,
      primaryKeyColumn,
      signal,
      fail,
      where,
      text,
      parameters,
      maxWaitMs: this.#sourceTimeoutMs,
      sleep,
    };
  }

  async *#rows(context: ReadContext): AsyncGenerator<SourceRow> {
    const { signal } = context;
    const statement = await this.#statement(context);
    const connection = this.#connect();
    const paging = this.#paging;
    const required = {
      primaryKeyColumn: this.primaryKeyColumn,
      ...(paging !== undefined && { "paging.keyColumn": paging.keyColumn }),
    };
    const session = new ReadSession({ ...statement, connection, required });
    try {
      let position = 1;
      for await (const raw of paging === undefined ? session.readAll() : session.readPages(paging)) {
        yield { position, raw };
        position += 1;
        signal.throwIfAborted();
      }
    } finally {
      await connection.close();
    }
  }

  #changesIn(changes: SQLServerChanges | undefined): ChangeReading | undefined {
    if (changes === undefined) return undefined;
    checkChanges(owner, changes);
    if (this.#paging !== undefined) {
      const hint =
        "leave out paging, and @after and @page_size: the reading of changes goes on behind its last row after a break";
      throw new OptionError(owner, "paging", "", { expected: "changes or paging", got: "both", hint });
    }
    const { by, column } = changes;
    return {
      by: column,
      basis: async (given) => {
        const text = await this.#query.read();
        return queryBasis([text, { ...this.#parameters, ...given }], by === "column" ? column : `${by} ${column}`);
      },
      read: (since, context) => this.#changedRows(changes, since, context),
    };
  }

  async *#changedRows(
    changes: SQLServerChanges,
    since: string | undefined,
    context: ReadContext,
  ): AsyncGenerator<ChangedRow, void, undefined> {
    yield* changedRows({ ...(await this.#statement(context)), changes }, since);
  }

  #bind(sql: string, given: Parameters): ReturnType<typeof bindParameters> {
    const { variables, words } = requireQuery(sql, this.#query.where, fail);
    if (this.#paging === undefined) return bindParameters(variables, given, this.#query.where, fail);
    const { where } = this.#query;
    const missing = pagingParameters.find((name) => !variables.includes(name));
    if (missing !== undefined || !words.includes("ORDER")) {
      const lack = missing === undefined ? "an ORDER BY" : `the parameter @${missing}`;
      const form = "SELECT TOP (@page_size) … WHERE (@after IS NULL OR key > @after) ORDER BY key OPTION (RECOMPILE)";
      const facts = { where, missing: missing ?? "ORDER BY", expected: `the form ${form}` };
      throw fail(`${where} is read in pages and lacks ${lack}`, { facts });
    }
    const own = pagingParameters.find((name) => Object.hasOwn(given, name));
    if (own !== undefined) {
      const facts = { where, parameter: own, hint: "leave it out of the parameters" };
      throw fail(`the parameter "${own}" is bound by paging`, { facts });
    }
    const wanted = variables.filter((name) => !pagingParameters.includes(name));
    return bindParameters(wanted, given, where, fail);
  }
}

interface UncheckedPaging {
  readonly keyColumn: string;
  readonly pageSize?: number | undefined;
}

const owner = "SQLServerSource";

function pageSettings({ keyColumn, pageSize = 1_000, ...rest }: UncheckedPaging): PageSettings {
  checkOptions<PageSettings>(
    `${owner} paging`,
    { keyColumn, pageSize, ...rest },
    { keyColumn: isName, pageSize: isCount(1) },
  );
  return { keyColumn, pageSize };
}

function fail(problem: string, options?: ErrorOptions): SourceError {
  return new SourceError("sql-server", problem, options);
}
