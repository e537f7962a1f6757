import type { Client, ClientBase, FieldDef, QueryArrayResult } from "pg";
import type { Requirements } from "../contracts/requirements.ts";
import type { ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";
import { messageOf } from "../errors/error-text.ts";
import { type ErrorOptions, LLMEtlError } from "../errors/llm-etl-error.ts";
import { checkOptions } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { inTransaction } from "../postgresql/connect/client.ts";
import { PostgreSQLConnection, setFormsOfTransaction } from "../postgresql/connect/connection.ts";
import type { ConnectionSeams } from "../postgresql/connect/options.ts";
import { driverFacts, passingOfDriver as passing, retryDelaysMs, stepToConnect } from "../postgresql/error-meaning.ts";
import { boundLockWaits, timingLocks } from "../postgresql/lock-waits.ts";
import { quoteIdentifier } from "../postgresql/names.ts";
import { type PostgreSQLSourceOptions, sourceChecks } from "../postgresql/read/options.ts";
import { parseQuery } from "../postgresql/read/statement.ts";
import { keyCondition, resultColumns } from "../postgresql/read/values.ts";
import { boundAsText, valuesOf } from "../table/named-parameters.ts";
import { type Bound, wrapped } from "../table/query-statement.ts";
import { type QueryText, queryText } from "../table/query-text.ts";
import { afterRow, piecesInOrder, rowsOf, rowsWithKeys } from "../table/query-rows.ts";
import { requireColumns } from "../table/result-columns.ts";
import { queryProblem } from "../table/sql-state.ts";
import { retryPassing } from "../table/retry.ts";
import { type Columns, type Page, pageOf, type Texts } from "../table/text-rows.ts";

export type { PostgreSQLSourceOptions } from "../postgresql/read/options.ts";

/**
 * Reads the rows of one query, in transactions that can only read. docs/postgresql.md has the JavaScript value of each type; no digit is lost.
 *
 * @throws {OptionError} at construction. `read` throws a {@link SourceError} before the first row for a server, a file, a query or parameters that
 * it can't use, and later for a connection that breaks, unless the query is read in pages.
 */
export class PostgreSQLSource<Row extends object> implements Source<Row> {
  readonly name = "postgresql";
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly files: readonly string[];
  readonly #connect: () => PostgreSQLConnection;
  readonly #query: QueryText;
  readonly #options: Pick<PostgreSQLSourceOptions<Row>, "parameters" | "reading"> &
    Readonly<Record<"pageSize" | "sourceTimeoutMs", number>>;
  readonly #seams: ConnectionSeams;

  constructor(options: PostgreSQLSourceOptions<Row>, seams: ConnectionSeams = {}) {
    checkOptions<PostgreSQLSourceOptions<Row>>(owner, options, sourceChecks);
    const { connectionString, tokenCredential, parameters, reading } = options;
    const { pageSize = 1_000, sourceTimeoutMs = 300_000 } = options;
    this.primaryKeyColumn = options.primaryKeyColumn;
    this.schema = options.schema;
    this.#query = queryText(owner, options, fail);
    this.files = this.#query.files;
    this.#options = { parameters, reading, pageSize, sourceTimeoutMs };
    this.#seams = seams;
    // A connection for each reading: the first to end must not close that of another.
    const logins = { haveWorked: false };
    this.#connect = () => new PostgreSQLConnection(owner, { connectionString, tokenCredential }, seams, logins);
    this.#connect(); // looks at the connection string
  }

  get requirements(): Requirements {
    return this.#connect().requirements;
  }

  readonly read = (context: ReadContext): AsyncGenerator<SourceRow> => this.#rows(context);

  /** Lets the server count the query's rows. */
  readonly count = async (context: ReadContext): Promise<number> => {
    const query = await this.#bind(context);
    const counting = wrapped(query, "", { what: "count(*)" });
    const connection = this.#connect();
    try {
      return await this.#ask({ ...context, connection }, counting, (_, { rows }) => Number(rows[0]?.[0]));
    } finally {
      await connection.close();
    }
  };

  /**
   * Has the server look for the keys among the query's rows, a thousand at a time. Resolves to undefined for a query that it does not run as a
   * part of another one.
   */
  readonly find = async (pks: readonly string[], context: ReadContext): Promise<Found | undefined> => {
    context.signal.throwIfAborted();
    const query = await this.#bind(context);
    const connection = this.#connect();
    try {
      const columns = await this.#describe({ ...context, connection }, query);
      return this.#found(pks, query, columns, context.signal);
    } catch (error) {
      if (error instanceof LLMEtlError && error.facts["isOfQuery"] === true) return undefined;
      throw error;
    } finally {
      await connection.close();
    }
  };

  async *#found(pks: readonly string[], query: Bound, columns: Columns, signal: AbortSignal): Found {
    signal.throwIfAborted();
    const type = columns.find(({ name }) => name === this.primaryKeyColumn)?.type ?? "";
    const connection = this.#connect();
    const ask = async (keys: readonly string[]): Promise<Page> => {
      const [condition, value] = keyCondition(this.#key, type, keys, query.values.length + 1);
      const page = wrapped(query, `WHERE ${condition}`, { values: [value] });
      return await this.#ask({ signal, connection }, page, (_, result) => pageOf(columns, result, this.#changed));
    };
    try {
      yield* rowsWithKeys(pks, this.primaryKeyColumn, keysAtATime, ask);
    } finally {
      await connection.close();
    }
  }

  async *#rows(context: ReadContext): AsyncGenerator<SourceRow> {
    const { signal } = context;
    signal.throwIfAborted();
    const query = await this.#bind(context);
    const { reading = query.isPlain ? "pages" : "cursor" } = this.#options;
    const connection = this.#connect();
    const work = { signal, connection };
    try {
      yield* rowsOf(reading === "pages" ? this.#pages(work, query) : this.#cursor(work, query), signal);
    } finally {
      await connection.close();
    }
  }

  /** Each page begins behind the last key of the one before, and has all the rows of its own last key: none is lost where keys repeat. */
  async *#pages(reading: Reading, query: Bound): AsyncGenerator<Page> {
    const columns = await this.#describe(reading, query);
    const place = columns.findIndex(({ name }) => name === this.primaryKeyColumn);
    const { pageSize } = this.#options;
    const order = `ORDER BY ${this.#key} FETCH FIRST ${pageSize} ROWS WITH TIES`;
    let count = 0;
    const ask = async (last?: Texts): Promise<Page> => {
      const after = last === undefined ? "IS NOT NULL" : `> $${query.values.length + 1}`;
      const values = last === undefined ? [] : [last[place] ?? null];
      const work = { ...reading, when: afterRow(count) };
      const page = wrapped(query, `WHERE ${this.#key} ${after} ${order}`, { values });
      const piece = await this.#ask(work, page, (_, result) => pageOf(columns, result, this.#changed));
      count += piece.rows.length;
      return piece;
    };
    yield* piecesInOrder(pageSize, ask);
    yield* this.#cursor({ ...reading, count }, wrapped(query, `WHERE ${this.#key} IS NULL`));
  }

  /** One result, in a transaction of its own. A broken connection is tried again only before its first row. */
  async *#cursor(reading: Reading, { text, values }: Bound): AsyncGenerator<Page> {
    const { connection, signal } = reading;
    let { count = 0 } = reading;
    let client: Client | undefined;
    let ended: Error | undefined;
    const stop = (): void => void client?.end();
    const fetch = { text: `FETCH ${this.#options.pageSize} FROM llm_etl_rows`, rowMode: "array" } as const;
    signal.addEventListener("abort", stop, { once: true });
    try {
      const first = await this.#trying(
        async () => {
          await connection.open({ signal, fail });
          await client?.end();
          ended = undefined;
          client = await connection.session(signal);
          client.once("error", (error) => (ended = error));
          await client.query(`BEGIN READ ONLY; ${this.#settings}`);
          await client.query(`DECLARE llm_etl_rows NO SCROLL CURSOR FOR\n${text}`, [...values]);
          const result = await client.query<Texts>(fetch);
          return { own: client, columns: await this.#columnsOf(client, result.fields), result };
        },
        { signal, when: afterRow(count) },
      );
      for (let { result } = first; result.rows.length > 0; result = await first.own.query<Texts>(fetch)) {
        yield pageOf(first.columns, result, this.#changed);
        count += result.rows.length;
      }
    } catch (error) {
      const first = passing(error) === undefined ? error : (ended ?? error); // the server says why it ends a connection
      throw this.#failure(first, { signal, when: afterRow(count), hint: ofBrokenCursor });
    } finally {
      signal.removeEventListener("abort", stop);
      await client?.end();
    }
  }

  readonly #changed = (): Error => {
    const facts = { where: this.#query.where, hint: ofChange };
    return fail(`${facts.where} gives other columns than before`, { facts });
  };

  get #key(): string {
    return `llm_etl_rows.${quoteIdentifier(this.primaryKeyColumn)}`;
  }

  get #settings(): string {
    return `${setFormsOfTransaction}; ${boundLockWaits(this.#options.sourceTimeoutMs)}`;
  }

  async #describe(reading: Reading, query: Bound): Promise<Columns> {
    const use = async (client: ClientBase, { fields }: QueryResult): Promise<Columns> =>
      this.#columnsOf(client, fields);
    return await this.#ask(reading, wrapped(query, "LIMIT 0"), use);
  }

  async #columnsOf(client: ClientBase, fields: readonly FieldDef[]): Promise<Columns> {
    const columns = fields.map(({ name }) => name);
    requireColumns(columns, this.primaryKeyColumn, this.#query.where, fail);
    return await resultColumns(client, fields);
  }

  /** A query in a transaction that only reads; tried again after what passes. */
  async #ask<Result>(
    reading: Reading,
    { text, values }: Bound,
    use: (client: ClientBase, result: QueryResult) => Result | Promise<Result>,
  ): Promise<Result> {
    const { connection, signal } = reading;
    return await this.#trying(async () => {
      const { pool } = await connection.open({ signal, fail });
      return await inTransaction(pool, signal, async (client) => {
        await client.query(`SET TRANSACTION READ ONLY; ${this.#settings}`);
        const result = await client.query<Texts>({ text, values: [...values], rowMode: "array" });
        return [await use(client, result), false];
      });
    }, reading);
  }

  async #trying<Result>(attempt: () => Promise<Result>, { signal, when = "" }: Trying): Promise<Result> {
    const { sourceTimeoutMs: patienceMs } = this.#options;
    const options = { ...this.#seams, signal, patienceMs, delaysMs: retryDelaysMs, passing };
    try {
      return await retryPassing(async () => await timingLocks(attempt), options);
    } catch (error) {
      throw this.#failure(error, { signal, when });
    }
  }

  async #bind({ parameters }: ReadContext): Promise<Bound> {
    const { where } = this.#query;
    const { text, parameters: wanted, isPlain } = parseQuery(await this.#query.read(), where, fail);
    const values = valuesOf(wanted, { ...this.#options.parameters, ...parameters }, where, fail);
    return { text, isPlain, values: values.map(boundAsText) };
  }

  #failure(error: unknown, { signal, when = "", hint }: Trying & { readonly hint?: string }): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof LLMEtlError) return error;
    const { where } = this.#query;
    const found = { ...driverFacts(error), message: messageOf(error), toConnect: stepToConnect(error) };
    const { reason, isOfQuery, step, facts } = queryProblem(found);
    const detail = `${where} failed${when}: ${messageOf(error)}`;
    const all = { where, ...facts, isOfQuery, hint: passing(error) === undefined ? step : (hint ?? step) };
    return fail(`${where} failed${when}: ${reason}`, { cause: error, detail, facts: all });
  }
}

type Found = AsyncGenerator<SourceRow, void, undefined>;
type QueryResult = QueryArrayResult<Texts>;
type Trying = { readonly signal: AbortSignal; readonly when?: string };
/** `count`: the rows that were given before. */
type Reading = Trying & { readonly connection: PostgreSQLConnection; readonly count?: number };

const [owner, keysAtATime] = ["PostgreSQLSource", 1_000] as const;
const ofChange = "a table was altered during the reading: run again";
const ofBrokenCursor = 'with reading: "pages" a read goes on after such a break; run again to go on by the journal';

function fail(problem: string, options?: ErrorOptions): SourceError {
  return new SourceError("postgresql", problem, options);
}
