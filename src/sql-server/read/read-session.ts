import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { messageOf } from "../../errors/error-text.ts";
import type { Fail, OpenConnection, SQLServerConnection } from "../connect/connection.ts";
import { exactQuery, type Query } from "./exact-query.ts";
import { allRows, guess, pageBindings, type PagingKey, pagingKey, pagingTypes } from "./paging-key.ts";
import { declare, type StatementParameter } from "../parameters.ts";
import { describeProblem, isRequestTimeout, runProblem, type StatementProblem } from "./read-errors.ts";
import { type ResultColumn, shapeOf } from "./result-shape.ts";
import { describeQuery, streamRows } from "./row-stream.ts";
import { driverFacts, passingError, retryDelaysMs } from "../error-meaning.ts";
import { type PassingError, retryPassing } from "../../table/retry.ts";

export interface ReadOptions {
  readonly connection: SQLServerConnection;
  readonly signal: AbortSignal;
  readonly fail: Fail;
  /** The statement's name in messages: `the sql`. */
  readonly where: string;
  readonly text: string;
  /** The user's, not those of paging. */
  readonly parameters: readonly StatementParameter[];
  /** Columns that the result must have, by the option that names them. */
  readonly required: Readonly<Record<string, string>>;
  /** The longest time to try again after an error that passes, in milliseconds. */
  readonly maxWaitMs: number;
  readonly sleep?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/** A row as the source gives it. */
export type RawRow = Readonly<Record<string, unknown>>;

/** The settings of a statement that is paged: `@after` is bound to the last key, `@page_size` to the number of rows. */
export interface PageSettings {
  readonly keyColumn: string;
  readonly pageSize: number;
}

/** The parameters of a statement that is read in pages. */
export const pagingParameters: readonly string[] = ["after", "page_size"];

/**
 * One reading of one statement. It throws the errors of `fail`, or the signal's reason. It tries again after an error that passes,
 * unless a row was given that would then come twice.
 */
export class ReadSession {
  readonly #options: ReadOptions;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  /** The rows as they come, in the statement's order. */
  async *readAll(): AsyncGenerator<RawRow, void, undefined> {
    const { text, parameters } = this.#options;
    const open = await this.#open();
    const columns = await this.#describe(open, parameters);
    const query = exactQuery({ text, parameters }, columns);
    const { rows, first } = await this.#trying(async () => {
      const stream = this.#stream(open, query);
      return { rows: stream, first: await stream.next() };
    }, "before its first row");
    let count = 0;
    try {
      for (let next = first; next.done !== true; next = await this.#next(rows, count)) {
        yield this.#toRow(columns, next.value);
        count += 1;
      }
    } finally {
      await rows.return();
    }
  }

  /** The rows page by page: none of them is given before its page has come whole, and then no statement is open. */
  async *readPages({ keyColumn, pageSize }: PageSettings): AsyncGenerator<RawRow, void, undefined> {
    const { text, parameters } = this.#options;
    const open = await this.#open();
    const { columns, key } = await this.#describePaged(open, keyColumn);
    let after: unknown = null;
    for (let count = 0; ;) {
      const query = exactQuery({ text, parameters: [...parameters, ...pageBindings(key, after, pageSize)] }, columns);
      const values = await this.#trying(() => this.#page(open, query, pageSize), `after row ${count}`);
      if (values.length === 0) return;
      const page = values.map((row) => this.#toRow(columns, row));
      after = this.#lastKey(page, { keyColumn, key, after, count });
      yield* page;
      count += page.length;
    }
  }

  /**
   * The columns of the result, and the parameters of the statement: of one that is paged also those of paging, such that its first page
   * has every row.
   */
  async describe(paging?: PageSettings): Promise<Described> {
    const { parameters } = this.#options;
    const open = await this.#open();
    if (paging === undefined) return { columns: await this.#describe(open, parameters), parameters };
    const { columns, key } = await this.#describePaged(open, paging.keyColumn);
    return { columns, parameters: [...parameters, ...allRows(key)] };
  }

  async #open(): Promise<OpenConnection> {
    const { connection, signal, fail, maxWaitMs } = this.#options;
    const waitMs = maxWaitMs === 0 ? undefined : maxWaitMs; // one attempt, which has the time of the pool
    const open = await connection.open({ signal, fail, waitMs });
    if (utcOf(open.pool) === false) {
      const hint = "leave it out, so that a date is read as it is and not as this machine's local time";
      throw fail("the pool has the option useUTC: false", { facts: { where: "pool", option: "useUTC", hint } });
    }
    return open;
  }

  async #describe(open: OpenConnection, parameters: readonly StatementParameter[]): Promise<readonly ResultColumn[]> {
    const { signal, text, where, required, fail } = this.#options;
    try {
      const described = await this.#retrying(() => describeQuery(open, text, declare(parameters), signal));
      return shapeOf(described, required, where, fail);
    } catch (error) {
      throw this.#failure(error, describeProblem, "");
    }
  }

  /** The type of `@after` is the key column's, which only the server knows: the first guess is a type that compares with most. */
  async #describePaged(
    open: OpenConnection,
    keyColumn: string,
  ): Promise<{ readonly columns: readonly ResultColumn[]; readonly key: PagingKey }> {
    const { parameters, where, fail } = this.#options;
    const first = await this.#describe(open, [...parameters, ...guess("nvarchar(4000)")]).catch((error: unknown) => {
      if (driverFacts(error).numbers.length === 0 || passingError(error) !== undefined) throw error;
      return this.#describe(open, [...parameters, ...guess("sql_variant")]); // it compares with bytes, too
    });
    const column = first.find(({ name }) => name === keyColumn);
    const key = column === undefined ? undefined : pagingKey(column.type);
    if (key === undefined) {
      const got = column?.type.declaration ?? "none";
      throw fail(`the type of the paging.keyColumn "${keyColumn}" of ${where}`, {
        facts: { where, column: keyColumn, type: got, expected: pagingTypes, got },
      });
    }
    return { columns: await this.#describe(open, [...parameters, ...guess(key.declaration)]), key };
  }

  #stream(open: OpenConnection, query: Query): AsyncGenerator<readonly unknown[], void, undefined> {
    const { signal, where, fail } = this.#options;
    const onSecondResult = (): Error =>
      fail(`${where} gives several result sets`, { facts: { where, resultSets: "several", expected: "one query" } });
    return streamRows(open, query, { signal, onSecondResult });
  }

  async #next(
    rows: AsyncGenerator<readonly unknown[], void, undefined>,
    count: number,
  ): Promise<IteratorResult<readonly unknown[], void>> {
    try {
      return await rows.next();
    } catch (error) {
      const hint =
        passingError(error) === undefined
          ? undefined
          : "without an order of its own it can't be taken up there: with the option paging a read goes on after such a break; " +
            "running again takes up what is done from the journal";
      throw this.#failure(error, runProblem, ` after row ${count + 1}`, hint);
    }
  }

  async #page(open: OpenConnection, query: Query, pageSize: number): Promise<readonly (readonly unknown[])[]> {
    const { where, fail } = this.#options;
    const page: (readonly unknown[])[] = [];
    for await (const row of this.#stream(open, query)) {
      page.push(row);
      if (page.length <= pageSize) continue;
      const hint = "write SELECT TOP (@page_size) …, without WITH TIES";
      throw fail(`${where} gave a page of more than @page_size (${pageSize}) rows`, {
        facts: { where, pageSize, hint },
      });
    }
    return page;
  }

  #lastKey(page: readonly RawRow[], { keyColumn, key, after, count }: PageStart): unknown {
    const { where, fail } = this.#options;
    let last = after;
    for (const [index, row] of page.entries()) {
      const next = row[keyColumn];
      const position = count + index + 1;
      const at = `the paging.keyColumn "${keyColumn}" of ${where} at row ${position}`;
      const facts = { where, column: keyColumn, position };
      if (next === null)
        throw fail(`${at} is NULL`, {
          facts: { ...facts, isNull: true, expected: "a key in each row", hint: "leave out the rows without one" },
        });
      if (last !== null && key.isAfter(last, next) === false) {
        const expected = "unique keys in ascending order";
        const hint = `write WHERE (@after IS NULL OR ${keyColumn} > @after) ORDER BY ${keyColumn}`;
        throw fail(`${at} does not come after the key before it`, {
          facts: { ...facts, isNull: false, expected, hint },
        });
      }
      last = next;
    }
    const problem = key.problem(last);
    if (problem !== undefined) {
      const position = count + page.length;
      const facts = { where, column: keyColumn, position, problem };
      throw fail(`the paging.keyColumn "${keyColumn}" of ${where} at row ${position} ${problem}`, { facts });
    }
    return last;
  }

  #toRow(columns: readonly ResultColumn[], values: readonly unknown[]): RawRow {
    return Object.fromEntries(
      columns.map(({ name, reading }, index) => {
        const value = values[index] ?? null;
        return [name, value === null ? null : this.#read(name, reading.read, value)];
      }),
    );
  }

  #read(name: string, read: (value: unknown) => unknown, value: unknown): unknown {
    try {
      return read(value);
    } catch (cause) {
      throw this.#options.fail(`the column "${name}" can't be read: ${messageOf(cause)}`, {
        cause,
        facts: { column: name },
      });
    }
  }

  async #trying<Result>(attempt: () => Promise<Result>, when: string): Promise<Result> {
    try {
      return await this.#retrying(attempt);
    } catch (error) {
      throw this.#failure(error, runProblem, ` ${when}`);
    }
  }

  /** A request that timed out is tried once more: the network may have gone silent, or the query may be slow for good. */
  #retrying<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const { signal, maxWaitMs, sleep } = this.#options;
    let timeouts = 0;
    const passing = (error: unknown): PassingError | undefined => {
      if (error instanceof LLMEtlError) return undefined;
      if (!isRequestTimeout(error)) return passingError(error);
      timeouts += 1;
      return timeouts === 1 ? {} : undefined;
    };
    return retryPassing(attempt, { signal, patienceMs: maxWaitMs, delaysMs: retryDelaysMs, passing, sleep });
  }

  #failure(
    error: unknown,
    explain: (error: unknown, place: SQLServerConnection["place"]) => StatementProblem,
    when: string,
    hint?: string,
  ): unknown {
    const { signal, connection, where, fail } = this.#options;
    if (signal.aborted) return signal.reason;
    if (error instanceof LLMEtlError) return error;
    const { problem, detail, hint: other } = explain(error, connection.place);
    return fail(`${where} failed${when}: ${problem}`, {
      cause: error,
      detail: `${where} failed${when}: ${detail}`,
      facts: { where, errorNumbers: driverFacts(error).numbers, hint: hint ?? other },
    });
  }
}

interface Described {
  readonly columns: readonly ResultColumn[];
  readonly parameters: readonly StatementParameter[];
}

interface PageStart {
  readonly keyColumn: string;
  readonly key: PagingKey;
  readonly after: unknown;
  /** How many rows were given before this page. */
  readonly count: number;
}

function utcOf(pool: object): unknown {
  // The driver's types don't have it, its pools do.
  const { config } = pool as { readonly config?: { readonly options?: { readonly useUTC?: unknown } } };
  return config?.options?.useUTC;
}
