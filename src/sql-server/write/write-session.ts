import { SinkDataError } from "../../errors/sink.ts";
import type { ColumnLimit, ColumnValues, RowGroup, SinkSession, Violation } from "../../contracts/sink.ts";
import { BatchWriter, ownKey, type StagedBatch } from "./batch-writer.ts";
import type { Fail, OpenConnection } from "../connect/connection.ts";
import { type Fitted, showValue, type StagedValue } from "./fit.ts";
import { foldText, keyText, RunKeys } from "./run-keys.ts";
import type { Target, TargetColumn } from "./target.ts";
import { CommitInDoubtError } from "../connect/transaction.ts";
import { retryTransient } from "../connect/transient-errors.ts";
import { existsText } from "./upsert.ts";
import { explainWrite, isPassing } from "./write-errors.ts";

export interface WriteSessionOptions {
  readonly sink: string;
  readonly connection: OpenConnection;
  readonly target: Target;
  readonly fail: Fail;
  readonly signal: AbortSignal;
  /** How long the server may be unavailable, in milliseconds. */
  readonly timeoutMs: number;
  readonly onClose: () => Promise<void>;
}

/** One opened target. `check` and `write` agree on what a row's values become. */
export class WriteSession implements SinkSession {
  /** Equal for all keys that the target's collation takes for equal, as far as its name tells; it may be for others, too. */
  readonly keyOf?: (values: ColumnValues) => string;
  readonly #options: WriteSessionOptions;
  readonly #keys: RunKeys | undefined;
  /**
   * Rows that were checked and not written yet: two of them with one key are two rows of a run. What is written without a check, or
   * once more, replaces.
   */
  readonly #checked = new WeakSet<ColumnValues>();
  readonly #writer: BatchWriter;
  #isClosed = false;

  constructor(options: WriteSessionOptions) {
    this.#options = options;
    const { target, connection, signal, fail } = options;
    this.#keys = target.keys.length === 0 ? undefined : new RunKeys();
    if (target.keys.length > 0) this.keyOf = (values) => this.#foldedKey(values);
    this.#writer = new BatchWriter({
      connection,
      target,
      signal,
      fail,
      refuse: (problem, values) => this.#refuse(problem, values),
      isTaken: (key, values) => this.#checked.has(values) && this.#keys?.isTaken(key) === true,
    });
  }

  /** Stages no row and rolls back: what the server would refuse of the statements themselves, it refuses now. */
  readonly prove = async (): Promise<void> => {
    await this.#retried(() => this.#writer.rehearse());
  };

  get limits(): Readonly<Record<string, ColumnLimit>> {
    return Object.fromEntries(
      this.#options.target.columns.map((column) => {
        const problemOf: ColumnLimit["problemOf"] = (value) => {
          const fitted = this.#fit(value, column);
          return fitted.ok ? undefined : { message: fitted.problem, detail: `${fitted.problem}: ${showValue(value)}` };
        };
        return [column.mapped, { schema: column.type.limit, problemOf }];
      }),
    );
  }

  readonly isEmpty = async (): Promise<boolean> => !(await this.#exists([], {}));

  readonly holds = async (values: ColumnValues): Promise<boolean> => {
    const { columns, keys, strategy } = this.#options.target;
    // A table that is enriched in place has its rows before anything was written to them.
    const written = columns.filter((column) => (values[column.mapped] ?? null) !== null && !keys.includes(column));
    return await this.#exists(keys, values, strategy === "update" ? written : []);
  };

  readonly check = (values: ColumnValues): readonly Violation[] => {
    const { target } = this.#options;
    const fitted = target.columns.map((column) => this.#fit(values[column.mapped], column));
    const violations = target.columns.flatMap((column, index): Violation[] => {
      const result = fitted[index];
      return result === undefined || result.ok ? [] : [violation(column, result.problem, values)];
    });
    if (violations.length > 0) return violations;
    const staged = fitted.map((result) => (result.ok ? result.value : null));
    if (this.#keys?.claim(ownKey(staged, target)) === false) return [this.#sameKey(values)];
    this.#checked.add(values);
    return [];
  };

  readonly write = async (groups: readonly RowGroup[]): Promise<void> => {
    const batch = groups.flatMap(({ rows }) => rows);
    if (batch.length === 0) return;
    const { fail, target } = this.#options;
    if (this.#isClosed) throw fail("the sink is closed: nothing can be written to it any more");
    const staged: StagedBatch = { values: batch, rows: batch.map((values) => this.#stage(values)) };
    let inDoubt = false;
    const keys = await this.#retried(async () => {
      try {
        if (inDoubt && target.strategy === "insert") return await this.#writer.insertAgain(staged);
        return await this.#writer.write(staged);
      } catch (error) {
        if (error instanceof CommitInDoubtError) inDoubt = true;
        if (inDoubt && target.strategy === "insert" && target.proof.length === 0) throw this.#doubt(error);
        throw error;
      }
    });
    this.#keys?.addWritten(keys);
    for (const values of batch) this.#checked.delete(values);
  };

  readonly close = async (): Promise<void> => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#keys?.close();
    await this.#options.onClose();
  };

  #stage(values: ColumnValues): StagedValue[] {
    return this.#options.target.columns.map((column) => {
      const value = values[column.mapped];
      const fitted = this.#fit(value, column);
      if (fitted.ok) return fitted.value;
      const problem = `the column "${column.mapped}": ${fitted.problem}`;
      throw new SinkDataError(this.#options.sink, problem, { detail: `${problem}: ${showValue(value)}` });
    });
  }

  #fit(value: unknown, column: TargetColumn): Fitted {
    if (value !== undefined && value !== null) return column.type.fit(value);
    const isKey = this.#options.target.keys.includes(column);
    if (isKey) return { ok: false, problem: "a merge key can't be NULL: it would find no row" };
    if (column.isNullable) return { ok: true, value: null };
    return { ok: false, problem: "the column is NOT NULL, got NULL" };
  }

  #foldedKey(values: ColumnValues): string {
    const parts = this.#options.target.keys.map((column) => {
      const fitted = this.#fit(values[column.mapped], column);
      const value = fitted.ok ? fitted.value : null;
      const { collation } = column.type;
      return typeof value === "string" && collation !== undefined ? foldText(value, collation) : value;
    });
    return keyText(parts);
  }

  #sameKey(values: ColumnValues): Violation {
    const { keys } = this.#options.target;
    const message = "another row of this run has the same merge key";
    const shown = keys.map(({ mapped }) => showValue(values[mapped])).join(", ");
    return { column: keys.map(({ mapped }) => mapped).join(", "), message, detail: `${message}: ${shown}` };
  }

  #refuse(problem: string, values: ColumnValues | undefined): SinkDataError {
    const { sink, target } = this.#options;
    if (values === undefined) return new SinkDataError(sink, problem);
    const keys = target.keys.map(({ mapped }) => showValue(values[mapped])).join(", ");
    return new SinkDataError(sink, problem, { detail: `${problem}: ${keys}` });
  }

  async #exists(
    keys: readonly TargetColumn[],
    values: ColumnValues,
    filled: readonly TargetColumn[] = [],
  ): Promise<boolean> {
    const { connection, target } = this.#options;
    const parameters = keys.map((column) => ({ column, fitted: this.#fit(values[column.mapped], column) }));
    if (parameters.some(({ fitted }) => !fitted.ok)) return false; // it could not have been written
    return await this.#retried(async () => {
      const request = connection.pool.request();
      for (const [index, { column, fitted }] of parameters.entries()) {
        if (fitted.ok) request.input(`k${index}`, column.type.driverType(connection.driver), fitted.value);
      }
      const { recordset } = await request.query(existsText(target, keys, filled));
      return recordset.length > 0;
    });
  }

  /** Tries again while the failure is a passing one, and says of the last what went wrong. */
  async #retried<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const { signal, timeoutMs } = this.#options;
    try {
      return await retryTransient(attempt, { signal, maxWaitMs: timeoutMs, isRetryable: isPassing });
    } catch (error) {
      signal.throwIfAborted();
      throw explainWrite(error, this.#options);
    }
  }

  #doubt(error: unknown): Error {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const { fail, target } = this.#options;
    const advice =
      `${target.table} has no unique index over columns of the columnMap by which to look: see whether the rows that are pending are ` +
      `there before you run again, or use strategy "merge"`;
    return fail(`the connection broke while rows were being committed, so they may be written or not; ${advice}`, {
      cause,
    });
  }
}

function violation({ mapped }: TargetColumn, message: string, values: ColumnValues): Violation {
  return { column: mapped, message, detail: `${message}: ${showValue(values[mapped])}` };
}
