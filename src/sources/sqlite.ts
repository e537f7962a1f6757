import { setImmediate } from "node:timers/promises";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { ErrorFacts } from "../errors/facts.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { SourceError } from "../errors/source.ts";
import { messageOf } from "../errors/error-text.ts";
import { checkOptions, isDuration, isName, isObject, isPath, optional } from "../errors/options.ts";
import { keyAsGiven } from "../engine/primary-key.ts";
import { absolutePath } from "../files/paths.ts";
import { requireColumns } from "../table/result-columns.ts";
import { type QueryText, queryText, type QueryTextOptions } from "../table/query-text.ts";
import { contentFreeMessage, isKind } from "../sqlite/errors.ts";
import { databaseFilesOf, lockWait, openDatabase, requireDatabaseFile, untilUnlocked } from "../sqlite/open.ts";
import { bindParameters } from "../sqlite/parameters.ts";
import { changeQueries, greatestQuery, planned } from "../sqlite/changes.ts";
import { type FindingQuery, findingQuery, namesOf } from "../sqlite/finding.ts";
import { scanStatement, statementText } from "../sqlite/statement.ts";
import { rowsOf, type StatementRows, type StatementValues } from "../sqlite/statement-rows.ts";
import { rowMaker } from "../sqlite/values.ts";
import type { GivenRow } from "../table/query-rows.ts";
import { type ColumnChanges, columnChanges, requireChangeColumn } from "../table/column-changes.ts";
import type { ChangeReading, CountContext, Parameters, ReadContext } from "../contracts/source.ts";
import type { RowSchema, Source, SourceRow } from "../contracts/source.ts";

interface SQLiteSourceSettings<Row extends object> {
  /** The database file: relative to the working directory, or a file: URL. It must exist; it is opened read-only. */
  readonly databasePath: string | URL;
  /** The result column that identifies a row: a value of its own for each row, never NULL. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** Checks and converts each row, and gives the type `Row`. Without it write `new SQLiteSource<Row>(…)`. */
  readonly schema?: RowSchema<Row> | undefined;
  /**
   * Values for the `@name`, `:name` or `$name` in the SQL, each under its bare name; those given at run time win.
   * SQLite compares a text with an INTEGER column as the number that it spells (type affinity), so `--param id=5` works.
   * Compared with an expression it stays text: write `CAST(@id AS INTEGER)` there.
   */
  readonly parameters?: Parameters | undefined;
  /** The longest time that a lock of another program is waited for before the first row, in milliseconds. @default 60,000 */
  readonly busyTimeoutMs?: number | undefined;
  /** Lets runs read only what changed since the last one, and rows that are due (docs/changes.md). @default runs read every row */
  readonly changes?: ColumnChanges | undefined;
}

export type SQLiteSourceOptions<Row extends object> = SQLiteSourceSettings<Row> & QueryTextOptions;

/**
 * Reads the rows of one query, one at a time, over a read-only connection of its own.
 *
 * An INTEGER comes as a number, or as a bigint where a number would not be exact; a BLOB as a Buffer; NULL as null.
 * (The driver of Node 22 cuts a text at a NUL character, that of Node 24 does not; both give U+FFFD for bytes that
 * are not UTF-8.)
 *
 * @throws {OptionError} at construction. `read` throws a {@link SourceError} before the first row for a database, a file, a
 * query or parameters that it can't use.
 */
export class SQLiteSource<Row extends object> implements Source<Row> {
  readonly name = "sqlite";
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly files: readonly string[];
  readonly databaseFiles: readonly string[];
  readonly changes: ChangeReading | undefined;
  readonly #databasePath: string;
  readonly #query: QueryText;
  readonly #parameters: Parameters;
  readonly #busyTimeoutMs: number;

  constructor(options: SQLiteSourceOptions<Row>) {
    checkOptions<SQLiteSourceOptions<Row>>("SQLiteSource", options, {
      databasePath: isPath,
      primaryKeyColumn: isName,
      schema: optional(isObject),
      parameters: optional(isObject),
      busyTimeoutMs: optional(isDuration(0)),
      changes: optional(isObject),
      sql: optional(isName),
      sqlFile: optional(isPath),
    });
    const { databasePath, primaryKeyColumn, schema, parameters = {} } = options;
    this.primaryKeyColumn = primaryKeyColumn;
    this.schema = schema;
    this.#databasePath = absolutePath(databasePath);
    this.#query = queryText("SQLiteSource", options, fail);
    this.#parameters = parameters;
    this.#busyTimeoutMs = options.busyTimeoutMs ?? lockWait.patienceMs;
    this.files = this.#query.files;
    this.databaseFiles = databaseFilesOf(this.#databasePath);
    this.changes = this.#changesIn(options.changes);
  }

  readonly read = (context: ReadContext): AsyncGenerator<SourceRow> => this.#rows(context);

  /** Counts the query's rows, a few milliseconds at a time: the driver blocks the whole process while it counts. */
  readonly count = async ({ signal, parameters, limit }: CountContext): Promise<number> => {
    const sql = await this.#query.read();
    const bindings = this.#bind(sql, { ...this.#parameters, ...parameters });
    await requireDatabaseFile(this.#databasePath, fail);
    const database = openDatabase(this.#databasePath, true, fail);
    try {
      const counting = database.prepare(`SELECT 1 FROM (\n${statementText(sql)}\n)`);
      counting.setAllowBareNamedParameters(false);
      let count = 0;
      let pausedAtMs = performance.now();
      for (const _ of counting.iterate(bindings)) {
        count += 1;
        if (count >= limit) break;
        if (count % 256 !== 0 || performance.now() - pausedAtMs < longestHoldMs) continue;
        await setImmediate();
        signal.throwIfAborted();
        pausedAtMs = performance.now();
      }
      return count;
    } finally {
      database.close();
    }
  };

  /**
   * Asks for the rows of the query that have one of the keys, a batch of keys at a time. Resolves to undefined for a query that can't be a
   * part of another one: a PRAGMA, or one with columns whose names differ in case only.
   */
  readonly find = async (
    pks: readonly string[],
    context: ReadContext,
  ): Promise<AsyncGenerator<SourceRow, void, undefined> | undefined> => {
    context.signal.throwIfAborted();
    const sql = await this.#query.read();
    this.#bind(sql, { ...this.#parameters, ...context.parameters });
    await requireDatabaseFile(this.#databasePath, fail);
    const isPart = await this.#whenUnlocked(() => this.#canBePart(sql), context.signal);
    return isPart ? this.#found(pks, context) : undefined;
  };

  #changesIn(changes: ColumnChanges | undefined): ChangeReading | undefined {
    const { where } = this.#query;
    const keyColumn = this.primaryKeyColumn;
    return columnChanges(changes, {
      owner: "SQLiteSource",
      keyColumn,
      where,
      fail,
      text: async (given) => [await this.#query.read(), { ...this.#parameters, ...given }],
      greatest: async (column, context) => {
        const found = this.#rows(context, (sql, columns) => {
          requireChangeColumn(columns, column, { where, fail });
          return [greatestQuery(sql, columns, { column, keyColumn })];
        });
        return { row: (await Array.fromAsync(found))[0]?.raw };
      },
      rows: (column, bounds, context) =>
        this.#rows(context, (sql, columns, database) =>
          planned(database, changeQueries(sql, columns, { column, keyColumn }, bounds), column, context),
        ),
    });
  }

  #canBePart(sql: string): boolean {
    const database = openDatabase(this.#databasePath, true, fail);
    try {
      const { columns } = this.#prepare(database, sql);
      const names = namesOf(database, findingQuery(sql, columns, this.primaryKeyColumn, []).sql);
      return columns.length === names?.length && columns.every((name, index) => name === names[index]);
    } finally {
      database.close();
    }
  }

  async *#found(pks: readonly string[], context: ReadContext): AsyncGenerator<SourceRow, void, undefined> {
    const wanted = new Set(pks);
    const all = [...wanted];
    let position = 0;
    for (let start = 0; start < all.length; start += keysAtATime) {
      const page = all.slice(start, start + keysAtATime);
      const wrap: Wrap = (sql, columns) => [findingQuery(sql, columns, this.primaryKeyColumn, page)];
      for await (const row of this.#rows(context, wrap)) {
        const key = keyAsGiven(row.raw, this.primaryKeyColumn);
        if (key === undefined || !wanted.delete(key)) continue;
        position += 1;
        yield { ...row, position };
      }
    }
  }

  async *#rows({ signal, parameters }: ReadContext, wrap?: Wrap): AsyncGenerator<GivenRow, void, undefined> {
    signal.throwIfAborted();
    const sql = await this.#query.read();
    await requireDatabaseFile(this.#databasePath, fail);
    const values = { ...this.#parameters, ...parameters };
    const { database, columns, rows, first } = await this.#start(sql, values, signal, wrap);
    const toRow = rowMaker(columns);
    try {
      let next = first;
      for (let position = 1; next.done !== true; position += 1) {
        signal.throwIfAborted();
        yield { position, raw: toRow(next.value) };
        next = this.#step(rows, position + 1);
      }
    } finally {
      database.close();
    }
  }

  /** Reads up to the first row. A locked database is tried again only here. */
  async #start(sql: string, parameters: Parameters, signal: AbortSignal, wrap?: Wrap): Promise<Reading> {
    const bindings = this.#bind(sql, parameters);
    const attempt = (): Reading => {
      const database = openDatabase(this.#databasePath, true, fail);
      try {
        const { columns } = this.#prepare(database, sql);
        const parts = wrap?.(sql, columns, database) ?? [{ sql, bindings: {} }];
        if (wrap !== undefined) database.exec("BEGIN"); // all parts see the rows as they are at one moment
        const rows = rowsOf(
          parts.map((part) => [this.#prepare(database, part.sql).statement, { ...bindings, ...part.bindings }]),
        );
        return { database, columns, rows, first: this.#step(rows, 1) };
      } catch (error) {
        database.close();
        throw error;
      }
    };
    return await this.#whenUnlocked(attempt, signal);
  }

  async #whenUnlocked<Result>(attempt: () => Result, signal: AbortSignal): Promise<Result> {
    try {
      return await untilUnlocked(attempt, signal, this.#busyTimeoutMs);
    } catch (cause) {
      if (!isKind(cause, "busy")) throw cause;
      const facts = { where: this.#databasePath, hint: "end the transaction of the program that holds it" };
      const seconds = this.#busyTimeoutMs / 1000;
      throw fail(`the database ${this.#databasePath} stayed locked by another connection for ${seconds} seconds`, {
        cause,
        facts,
      });
    }
  }

  #bind(sql: string, values: Parameters): Record<string, SQLInputValue> {
    const { count, parameters, hasPositional } = scanStatement(sql);
    const { where } = this.#query;
    const wrong = (problem: string, facts: ErrorFacts): SourceError => fail(problem, { facts: { where, ...facts } });
    if (sql.includes("\0")) throw wrong(`${where} holds a NUL character`, { hint: "save it as UTF-8, without it" });
    if (count === 0) throw wrong(`${where} is empty`, { expected: "one query" });
    if (count > 1) throw wrong(`${where} holds several statements`, { expected: "one query", got: count });
    if (hasPositional) throw wrong(`${where} has a positional parameter "?"`, { hint: "name it, as in @name" });
    return bindParameters(parameters, values, where, fail);
  }

  #prepare(database: DatabaseSync, sql: string): { statement: StatementSync; columns: readonly string[] } {
    const { where } = this.#query;
    let statement: StatementSync;
    try {
      statement = database.prepare(sql);
    } catch (cause) {
      if (isKind(cause, "busy")) throw cause;
      const reason = messageOf(cause); // no row was read yet: it holds names and SQL only
      throw fail(`${where} failed: ${reason}`, { cause, facts: { where, reason } });
    }
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    statement.setAllowBareNamedParameters(false); // they would forbid @id and :id in one statement
    const columns = statement.columns().map(({ name }) => name);
    requireColumns(columns, this.primaryKeyColumn, where, fail);
    return { statement, columns };
  }

  #step(rows: StatementRows, position: number): IteratorResult<StatementValues, unknown> {
    try {
      return rows.next();
    } catch (cause) {
      if (isKind(cause, "busy") && position === 1) throw cause;
      const { where } = this.#query;
      throw fail(`${where} failed at row ${position}: ${contentFreeMessage(cause)}`, {
        cause,
        detail: `${where} failed at row ${position}: ${messageOf(cause)}`,
        facts: { where, position },
      });
    }
  }
}

/** The longest time that counting blocks other work. */
const longestHoldMs = 5;

/** So many keys are looked for at a time. SQLite takes at most 32,766 values, and a key may be as many as three. */
const keysAtATime = 1_000;

/** Makes queries for some of a query's rows, given its result columns. */
type Wrap = (sql: string, columns: readonly string[], database: DatabaseSync) => readonly FindingQuery[];

interface Reading {
  readonly database: DatabaseSync;
  readonly columns: readonly string[];
  readonly rows: StatementRows;
  readonly first: IteratorResult<StatementValues, unknown>;
}

function fail(problem: string, options?: ErrorOptions): SourceError {
  return new SourceError("sqlite", problem, options);
}
