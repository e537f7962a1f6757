import type { DuckDBDataChunk } from "@duckdb/node-api";
import { stat } from "node:fs/promises";
import type { CountContext, Parameters, ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";
import type { Requirements } from "../contracts/requirements.ts";
import { Database, quoteText } from "../duckdb/database.ts";
import { packageName } from "../duckdb/driver.ts";
import { meaningOf } from "../duckdb/error-meaning.ts";
import { namedFiles, textOf } from "../duckdb/read/named-files.ts";
import { type DuckDBSourceOptions, sourceChecks } from "../duckdb/read/options.ts";
import { columnsOf, nextOf, type Query, type ResultColumn, startQuery } from "../duckdb/read/query.ts";
import { scanForKeys } from "../engine/primary-key.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { type ErrorOptions, LLMEtlError } from "../errors/llm-etl-error.ts";
import { checkOptions } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { absolutePath } from "../files/paths.ts";
import { type QueryText, queryText } from "../table/query-text.ts";
import { afterRow } from "../table/query-rows.ts";

export type { DuckDBSourceOptions } from "../duckdb/read/options.ts";

/**
 * Reads the rows of one query of DuckDB's over Parquet, CSV and JSON files, many at once too, and over the tables of a DuckDB database:
 * `SELECT * FROM 'data/*.parquet'`. Needs the package `@duckdb/node-api`. docs/parquet.md has the JavaScript value of each type; no digit is lost.
 *
 * Paths in the SQL are relative to the working directory. No extension is loaded or downloaded: what needs one (files of the web, Excel)
 * is an error.
 *
 * @example new DuckDBSource({ sql: "SELECT id, note FROM 'notes/*.parquet'", primaryKeyColumn: "id", schema: Note })
 * @throws {OptionError} at construction. `read` throws a {@link SourceError} before the first row for files, a query or parameters that it
 * can't use, and later for a file that is broken further on.
 */
export class DuckDBSource<Row extends object = Record<string, unknown>> implements Source<Row> {
  readonly name = "duckdb";
  /** True: `SELECT *` has the names that the files have. */
  readonly namesAreData = true;
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly requirements: Requirements = { packages: [packageName] };
  readonly #query: QueryText;
  readonly #sql: string | undefined;
  readonly #parameters: Parameters;
  readonly #databasePath: string | undefined;
  readonly #resources: Readonly<Record<"memoryMiB" | "threads", number>>;

  constructor(options: DuckDBSourceOptions<Row>) {
    checkOptions<DuckDBSourceOptions<Row>>(owner, options, sourceChecks);
    const { databasePath, parameters = {}, memoryLimitMiB = 512, threads = 1 } = options;
    this.primaryKeyColumn = options.primaryKeyColumn;
    this.schema = options.schema;
    this.#query = queryText(owner, options, fail);
    this.#sql = options.sql;
    this.#parameters = parameters;
    this.#databasePath = databasePath === undefined ? undefined : absolutePath(databasePath);
    this.#resources = { memoryMiB: memoryLimitMiB, threads };
  }

  /** The database, the file with the query, and the files that the query and the parameters name in quotes or by a pattern, as far as they are there. */
  get files(): readonly string[] {
    const own = [...this.#query.files, ...(this.#databasePath === undefined ? [] : [this.#databasePath])];
    const texts = this.#sql === undefined ? this.#query.files.map((path) => textOf(path)) : [this.#sql];
    const values = Object.values(this.#parameters).filter((value) => typeof value === "string");
    return [...own, ...namedFiles([...texts, ...values.map((value) => quoteText(value))])];
  }

  readonly read = (context: ReadContext): AsyncGenerator<SourceRow, void, undefined> => this.#rows(context);

  /** Reads the result once, up to the last row that is looked for. */
  readonly find = async (
    pks: readonly string[],
    context: ReadContext,
  ): Promise<AsyncGenerator<SourceRow, void, undefined>> => await Promise.resolve(scanForKeys(this, pks, context));

  /** Has DuckDB count the rows of the query, of Parquet files mostly by what stands at their ends. */
  readonly count = async (context: CountContext): Promise<number> => {
    const { limit, signal } = context;
    const { database, query, close } = await this.#open(context);
    try {
      const part = query.sql.replace(/;\s*$/, "");
      const bound = Number.isSafeInteger(limit) ? `SELECT 1 FROM (\n${part}\n) LIMIT ${limit}` : part;
      const sql = `SELECT count(*) FROM (\n${bound}\n)`;
      return await attempt(query, { signal, count: 0 }, async () => {
        const counting = { ...query, sql };
        const chunk = await nextOf(await startQuery(database, counting), database, counting, signal);
        return Number(chunk?.getColumnVector(0).getItem(0));
      });
    } finally {
      await close();
    }
  };

  async *#rows(context: ReadContext): AsyncGenerator<SourceRow, void, undefined> {
    const { signal } = context;
    const { database, query, close } = await this.#open(context);
    let count = 0;
    try {
      const { result, columns } = await attempt(query, { signal, count }, async () => {
        const started = await startQuery(database, query);
        return { result: started, columns: columnsOf(started, this.primaryKeyColumn, query, database.driver) };
      });
      for (;;) {
        const chunk = await attempt(
          query,
          { signal, count },
          async () => await nextOf(result, database, query, signal),
        );
        if (chunk === undefined) return;
        const toRow = rowMaker(chunk, columns);
        try {
          for (let index = 0; index < chunk.rowCount; index += 1) {
            signal.throwIfAborted();
            count += 1;
            yield { position: count, raw: toRow(index) };
          }
        } finally {
          chunk.reset(); // its texts are those of a whole row group in memory, which else is there until V8 collects the chunk
        }
      }
    } finally {
      await close();
    }
  }

  /** A database of its own for each reading, which the signal interrupts. */
  async #open({ signal, parameters }: ReadContext): Promise<Opened> {
    signal.throwIfAborted();
    const { where } = this.#query;
    const query = { sql: await this.#query.read(), where, fail, parameters: { ...this.#parameters, ...parameters } };
    const path = this.#databasePath;
    if (path !== undefined) await requireFile(path);
    const opening = path === undefined ? query : { ...query, where: `the database ${path}` };
    const database = await attempt(opening, { signal, count: 0 }, async () => {
      return await Database.open(owner, { ...this.#resources, path, maySpill: true });
    });
    const release = database.interruptOn(signal);
    const close = async (): Promise<void> => {
      release();
      await database.close();
    };
    return { database, query, close };
  }
}

interface Opened {
  readonly database: Database;
  readonly query: Query;
  readonly close: () => Promise<void>;
}

const owner = "DuckDBSource";

function fail(problem: string, options?: ErrorOptions): SourceError {
  return new SourceError("duckdb", problem, options);
}

/** @param count the rows that were given before */
async function attempt<Result>(
  { sql, where, parameters }: Query,
  { signal, count }: { readonly signal: AbortSignal; readonly count: number },
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof LLMEtlError) throw cause;
    const texts = Object.values(parameters).filter((value) => typeof value === "string");
    const { problem, detail, facts } = meaningOf(cause, [sql, where, ...texts]);
    const place = `${where} failed${afterRow(count)}`;
    throw fail(`${place}: ${problem}`, { cause, detail: `${place}: ${detail}`, facts: { where, ...facts } });
  }
}

async function requireFile(path: string): Promise<void> {
  const status = await stat(path).catch((cause: unknown) => {
    const facts = { where: path, code: codeOf(cause), hint: "correct databasePath" };
    throw fail(`the database ${path} can't be opened (${messageOf(cause)})`, { cause, facts });
  });
  if (status.isFile()) return;
  throw fail(`${path} is not a file`, {
    facts: { where: path, hint: "databasePath must be that of a DuckDB database" },
  });
}

function rowMaker(
  chunk: DuckDBDataChunk,
  columns: readonly ResultColumn[],
): (index: number) => Readonly<Record<string, unknown>> {
  const empty = Object.fromEntries(columns.map(({ name }) => [name, null])); // has a column named __proto__, too
  const cells = columns.map(({ name, read }, place) => ({ name, read, vector: chunk.getColumnVector(place) }));
  return (index) => {
    const raw: Record<string, unknown> = { ...empty };
    for (const { name, read, vector } of cells) {
      const value = vector.getItem(index);
      if (value !== null) raw[name] = read(value);
    }
    return raw;
  };
}
