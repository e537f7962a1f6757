import type { Client, ClientBase, FieldDef, QueryArrayResult } from "pg";
import type { Requirements } from "../contracts/requirements.ts";
import type { ChangeReading, ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";
import { type ErrorOptions, LLMEtlError } from "../errors/llm-etl-error.ts";
import { checkOptions } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { inTransaction } from "../postgresql/connect/client.ts";
import { PostgreSQLConnection, setFormsOfTransaction } from "../postgresql/connect/connection.ts";
import type { ConnectionSeams } from "../postgresql/connect/options.ts";
import { passingOfDriver as passing, queryError, retryDelaysMs } from "../postgresql/error-meaning.ts";
import { boundLockWaits, timingLocks } from "../postgresql/lock-waits.ts";
import { quoteIdentifier } from "../postgresql/names.ts";
import { type PostgreSQLSourceOptions, sourceChecks } from "../postgresql/read/options.ts";
import { clockOf, parseQuery } from "../postgresql/read/statement.ts";
import { keyCondition, resultColumns } from "../postgresql/read/values.ts";
import { changeQueries, greatestQuery } from "../table/change-order.ts";
import {
  type ColumnChanges,
  columnChanges,
  type Greatest,
  type PlaceValues,
  requireChangeColumn,
} from "../table/column-changes.ts";
import { boundAsText, valuesOf } from "../table/named-parameters.ts";
import { QueryAttempts, type Trying } from "../table/query-attempts.ts";
import { type Bound, declared, inWrapped, wrapped } from "../table/query-statement.ts";
import { type QueryText, queryText } from "../table/query-text.ts";
import { afterRow, type GivenRow, piecesInOrder, rowsOf, rowsWithKeys } from "../table/query-rows.ts";
import { requireColumns } from "../table/result-columns.ts";
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
  readonly changes: ChangeReading | undefined;
  readonly #connect: () => PostgreSQLConnection;
  readonly #query: QueryText;
  readonly #options: Pick<PostgreSQLSourceOptions<Row>, "parameters" | "reading"> &
    Readonly<Record<"pageSize" | "sourceTimeoutMs", number>>;
  readonly #attempts: QueryAttempts;

  constructor(options: PostgreSQLSourceOptions<Row>, seams: ConnectionSeams = {}) {
    checkOptions<PostgreSQLSourceOptions<Row>>(owner, options, sourceChecks);
    const { connectionString, tokenCredential, parameters, reading } = options;
    const { pageSize = 1_000, sourceTimeoutMs = 300_000 } = options;
    this.primaryKeyColumn = options.primaryKeyColumn;
    this.schema = options.schema;
    this.#query = queryText(owner, options, fail);
    this.files = this.#query.files;
    this.#options = { parameters, reading, pageSize, sourceTimeoutMs };
    const patience = { ...seams, patienceMs: sourceTimeoutMs, delaysMs: retryDelaysMs, passing };
    this.#attempts = new QueryAttempts({ ...this.#named, ...patience, found: queryError, timing: timingLocks });
    // A connection for each reading: the first to end must not close that of another.
    const logins = { haveWorked: false };
    this.#connect = () => new PostgreSQLConnection(owner, { connectionString, tokenCredential }, seams, logins);
    this.#connect(); // looks at the connection string
    this.changes = this.#changesIn(options.changes);
  }

  get requirements(): Requirements {
    return this.#connect().requirements;
  }

  readonly read = (context: ReadContext): AsyncGenerator<SourceRow> => this.#rows(context);

  /** Lets the server count the query's rows. */
  readonly count = async (context: ReadContext): Promise<number> => {
    const counting = wrapped(await this.#bind(context), "", { what: "count(*)" });
    return await this.#connected(context, async (work) => {
      return await this.#ask(work, counting, (_, { rows }) => Number(rows[0]?.[0]));
    });
  };

  /**
   * Has the server look for the keys among the query's rows, a thousand at a time. Resolves to undefined for a query that it does not run as a
   * part of another one.
   */
  readonly find = async (pks: readonly string[], context: ReadContext): Promise<Found | undefined> => {
    context.signal.throwIfAborted();
    const query = await this.#bind(context);
    try {
      const columns = await this.#connected(context, async (work) => await this.#describe(work, query));
      return this.#found(pks, query, columns, context.signal);
    } catch (error) {
      if (!(error instanceof LLMEtlError) || error.facts["isOfQuery"] !== true) throw error;
      const alone = { ...query, text: declared(0, query) };
      await this.#connected(context, async (work) => await this.#ask(work, alone, () => undefined)); // or it is the query's own fault
      return undefined;
    }
  };

  #changesIn(changes: ColumnChanges | undefined): ChangeReading | undefined {
    return columnChanges(changes, {
      owner,
      keyColumn: this.primaryKeyColumn,
      ...this.#named,
      text: async (given) => [await this.#query.read(), { ...this.#options.parameters, ...given }],
      greatest: (...given) => this.#greatest(...given),
      rows: (column, bounds, context) => {
        const order = { change: inWrapped(quoteIdentifier(column)), key: this.#key };
        return this.#rows(context, (query) => changeQueries(query, order, bounds));
      },
    });
  }

  async #greatest(column: string, context: ReadContext, since?: PlaceValues): Promise<Greatest> {
    const query = await this.#bind(context);
    return await this.#connected(context, async (work) => {
      const columns = await this.#describe(work, query);
      const greatest = greatestQuery(query, inWrapped(quoteIdentifier(column)), since);
      const names = columns.map(({ name }) => name);
      requireChangeColumn(names, column, this.#named);
      return await this.#ask(work, greatest, async (client, result) => {
        const { rows, toRow } = pageOf(columns, result, this.#named);
        return { row: rows.map(toRow)[0], clock: await clockOf(client) };
      });
    });
  }

  async *#found(pks: readonly string[], query: Bound, columns: Columns, signal: AbortSignal): Found {
    signal.throwIfAborted();
    const type = columns.find(({ name }) => name === this.primaryKeyColumn)?.type ?? "";
    const connection = this.#connect();
    const ask = async (keys: readonly string[]): Promise<Page> => {
      const [condition, value] = keyCondition(this.#key, type, keys, query.values.length + 1);
      const page = wrapped(query, `WHERE ${condition}`, { values: [value] });
      return await this.#ask({ signal, connection }, page, (_, result) => pageOf(columns, result, this.#named));
    };
    try {
      yield* rowsWithKeys(pks, this.primaryKeyColumn, keysAtATime, ask);
    } finally {
      await connection.close();
    }
  }

  /** @param parts makes queries for some of the rows, which are read as they are at one moment */
  async *#rows(context: ReadContext, parts?: (query: Bound) => readonly Bound[]): AsyncGenerator<GivenRow> {
    const { signal } = context;
    signal.throwIfAborted();
    const query = await this.#bind(context);
    const { reading = query.isPlain ? "pages" : "cursor" } = this.#options;
    const connection = this.#connect();
    const work = { signal, connection };
    const isInPages = parts === undefined && reading === "pages";
    try {
      yield* rowsOf(isInPages ? this.#pages(work, query) : this.#cursor(work, parts?.(query) ?? [query]), signal);
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
      const piece = await this.#ask(work, page, (_, result) => pageOf(columns, result, this.#named));
      count += piece.rows.length;
      return piece;
    };
    yield* piecesInOrder(pageSize, ask);
    yield* this.#cursor({ ...reading, count }, [wrapped(query, `WHERE ${this.#key} IS NULL`)]);
  }

  /** The results of queries, in one transaction, which sees one moment. A broken connection is tried again only before its first row. */
  async *#cursor(reading: Reading, queries: readonly Bound[]): AsyncGenerator<Page> {
    const { connection, signal } = reading;
    const [begin, hint] = queries.length > 1 ? [inOneMoment, ofBrokenChanges] : ["BEGIN READ ONLY", ofBrokenCursor];
    let { count = 0 } = reading;
    let client: Client | undefined;
    let ended: Error | undefined;
    const stop = (): void => void client?.end();
    const fetch = async (own: Client, index: number): Promise<QueryResult> => {
      const text = `FETCH ${this.#options.pageSize} FROM llm_etl_rows_${index}`;
      return await own.query<Texts>({ text, rowMode: "array" });
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      const first = await this.#attempts.try(
        async () => {
          await connection.open({ signal, fail });
          await client?.end();
          ended = undefined;
          client = await connection.session(signal);
          client.once("error", (error) => (ended = error));
          await client.query(`${begin}; ${this.#settings}`);
          for (const each of queries.entries()) await client.query(declared(...each), [...each[1].values]);
          const result = await fetch(client, 0);
          return { own: client, columns: await this.#columnsOf(client, result.fields), result };
        },
        { signal, when: afterRow(count) },
      );
      for (const index of queries.keys()) {
        let result = index === 0 ? first.result : await fetch(first.own, index);
        for (; result.rows.length > 0; result = await fetch(first.own, index)) {
          yield pageOf(first.columns, result, this.#named);
          count += result.rows.length;
        }
      }
    } catch (error) {
      const first = passing(error) === undefined ? error : (ended ?? error); // the server says why it ends a connection
      throw this.#attempts.failure(first, { signal, when: afterRow(count), hint });
    } finally {
      signal.removeEventListener("abort", stop);
      await client?.end();
    }
  }

  get #named(): Readonly<{ where: string; fail: typeof fail }> {
    return { where: this.#query.where, fail };
  }

  get #key(): string {
    return inWrapped(quoteIdentifier(this.primaryKeyColumn));
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
    return await this.#attempts.try(async () => {
      const { pool } = await connection.open({ signal, fail });
      return await inTransaction(pool, signal, async (client) => {
        await client.query(`SET TRANSACTION READ ONLY; ${this.#settings}`);
        const result = await client.query<Texts>({ text, values: [...values], rowMode: "array" });
        return [await use(client, result), false];
      });
    }, reading);
  }

  async #connected<Result>({ signal }: Trying, work: (reading: Reading) => Promise<Result>): Promise<Result> {
    const connection = this.#connect();
    try {
      return await work({ signal, connection });
    } finally {
      await connection.close();
    }
  }

  async #bind({ parameters }: ReadContext): Promise<Bound> {
    const { where } = this.#query;
    const { text, parameters: wanted, isPlain } = parseQuery(await this.#query.read(), where, fail);
    const values = valuesOf(wanted, { ...this.#options.parameters, ...parameters }, where, fail);
    return { text, isPlain, values: values.map(boundAsText) };
  }
}

type Found = AsyncGenerator<SourceRow, void, undefined>;
type QueryResult = QueryArrayResult<Texts>;
/** `count`: the rows that were given before. */
type Reading = Trying & { readonly connection: PostgreSQLConnection; readonly count?: number };

const [owner, keysAtATime] = ["PostgreSQLSource", 1_000] as const;
const inOneMoment = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const ofBrokenChanges = "run again: it goes on behind the rows that have ended";
const ofBrokenCursor = 'with reading: "pages" a read goes on after such a break; run again to go on by the journal';

function fail(problem: string, options?: ErrorOptions): SourceError {
  return new SourceError("postgresql", problem, options);
}
