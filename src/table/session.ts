import type { ErrorFacts } from "../errors/facts.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { SinkDataError, SinkError } from "../errors/sink.ts";
import type { ColumnLimit, ColumnValues, RowGroup, SinkSession, Violation } from "../contracts/sink.ts";
import {
  CommitInDoubtError,
  type Fitted,
  type StagedRow,
  type StoredKey,
  type TableColumn,
  type TableConnection,
  type TableDialect,
  type TableKeys,
  type TableRequest,
  type TableWriter,
  type Target,
  type TargetColumn,
} from "./dialect.ts";
import { notRewritten } from "./rewritten-rows.ts";
import { RunKeys, storedText } from "./run-keys.ts";
import { showValue } from "./show-value.ts";
import { findTarget } from "./target.ts";
import { type Attempts, tryAgain } from "./try-again.ts";

/**
 * Opens a table for writing: the preflight, and the session that follows. The connection is the session's from now on, also where it fails.
 *
 * @throws {TargetError} for a table that does not fit; {@link SinkError} for one that can't be read or written; the signal's reason
 */
export async function tableSession<Connection extends TableConnection, Column extends TableColumn<Value>, Value>(
  dialect: TableDialect<Connection, Column, Value>,
  connection: Connection,
  request: TableRequest,
): Promise<SinkSession> {
  try {
    const describing = (): ReturnType<typeof dialect.describe> => dialect.describe(connection, request);
    const found = await tryAgain(describing, { dialect, connection, sink: request.sink, target: undefined });
    const session = new TableSession(dialect, connection, request.sink, findTarget(dialect.names, found, request));
    await session.prove();
    return session;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** One opened target. `check` and `write` agree on what a row's values become. */
class TableSession<
  Connection extends TableConnection,
  Column extends TableColumn<Value>,
  Value,
> implements SinkSession {
  /** None where rows are only added. */
  readonly keyOf?: (values: ColumnValues) => string;
  readonly #attempts: Attempts<Connection, Column, Value>;
  readonly #target: Target<Column, Value>;
  readonly #sink: string;
  readonly #keys: TableKeys<Value>;
  readonly #runKeys: RunKeys<Value> | undefined;
  readonly #writer: TableWriter<Column, Value>;
  /** Of rows that were written, for the journal: which keys are one, only the target knows. */
  readonly #storedKeys = new WeakMap<ColumnValues, string>();
  #isClosed = false;

  constructor(
    dialect: TableDialect<Connection, Column, Value>,
    connection: Connection,
    sink: string,
    target: Target<Column, Value>,
  ) {
    this.#attempts = { dialect, connection, sink, target };
    this.#target = target;
    this.#sink = sink;
    this.#keys = dialect.keys(target);
    if (target.keys.length > 0) {
      this.#runKeys = new RunKeys(this.#keys);
      this.keyOf = (values) =>
        this.#storedKeys.get(values) ??
        this.#keys.text(target.keys.map((column) => this.#cellOf(values, column) ?? null));
    }
    this.#writer = dialect.writer(connection, target, {
      leftOut: (problem, values, facts = {}) => this.#rowError(problem, values, facts),
      unknownKey: (values) => this.#keyError(`no row of ${target.table.quoted} has this merge key`, values),
      notDeleted: (values) =>
        this.#keyError(`a trigger or a policy of ${target.table.quoted} kept a row that was to be deleted`, values),
      sameKey: (values) => this.#keyError(sameKeyProblem, values),
      fail: (problem, options) => this.#fail(problem, options),
    });
  }

  readonly prove = async (): Promise<void> => {
    await tryAgain(this.#writer.prove, this.#attempts);
  };

  get limits(): Readonly<Record<string, ColumnLimit>> {
    return Object.fromEntries(
      this.#target.columns.map((column) => {
        const problemOf: ColumnLimit["problemOf"] = (value) => {
          const fitted = this.#fit(value, column);
          const message = fitted.ok ? column.exceeds?.(value) : fitted.problem;
          if (message === undefined) return undefined;
          const detail = withValue(message, value);
          if (fitted.ok) return { message, detail };
          const reAsk = fitted.demand === null ? null : `${fitted.demand}, got ${showValue(value)}`;
          return { message, detail, reAsk, olderReAsk: detail };
        };
        return [column.mapped, { schema: column.limit, problemOf }];
      }),
    );
  }

  readonly check = (values: ColumnValues, unchangedKey?: string): readonly Violation[] => {
    const violations: Violation[] = [];
    const key: Value[] = [];
    for (const column of this.#target.columns) {
      if (unchangedKey !== undefined && !column.isKey) continue; // it is not written
      const value = values[column.mapped];
      const fitted = this.#fit(value, column);
      if (!fitted.ok) {
        const { problem } = fitted;
        violations.push({ column: column.mapped, message: problem, detail: withValue(problem, value) });
      } else if (column.isKey && fitted.value !== null) key.push(fitted.value);
    }
    if (violations.length > 0 || this.#runKeys === undefined) return violations;
    const isFree = this.#runKeys.claim(unchangedKey === undefined ? values : undefined, key);
    if (isFree && (unchangedKey === undefined || this.#runKeys.keep(unchangedKey))) return violations;
    const detail = `${sameKeyProblem}: ${this.#keyValues(values)}`;
    return [{ column: this.#keyNames, message: sameKeyProblem, detail }];
  };

  readonly write = async (batch: readonly RowGroup[]): Promise<void> => {
    const groups = batch.map((group) => group.rows.map((values) => ({ values, cells: this.#stage(values) })));
    const rows = groups.flat(); // no `push(...)`: a group may be large
    const gone = batch.flatMap(({ gone: old = [] }, index) => {
      const staged = old.flatMap((values) => this.#stageGone(values));
      return notRewritten(staged, groups[index] ?? [], this.#target, this.#keys);
    });
    if (rows.length === 0 && gone.length === 0) return;
    if (this.#isClosed) throw this.#fail("the sink is closed: nothing can be written to it any more");
    let isInDoubt = false;
    let stored: readonly StoredKey[] = [];
    const guard = (keys: readonly StoredKey[]): void => {
      this.#requireOwn(rows, keys);
      stored = keys;
      this.#runKeys?.expect(keys);
    };
    const writing = tryAgain(
      async (leftMs) => {
        try {
          await this.#writer.write(rows, { gone, isInDoubt, guard, leftMs });
        } catch (error) {
          if (error instanceof CommitInDoubtError) isInDoubt = true;
          if (isInDoubt && this.#target.strategy === "insert" && this.#target.proof.length === 0)
            throw this.#doubt(error);
          throw error;
        }
      },
      { ...this.#attempts, isWriting: true },
    );
    try {
      await writing;
      this.#runKeys?.addWritten(rows, stored);
    } finally {
      this.#runKeys?.expect([]);
    }
    for (const [index, key] of stored.entries()) {
      const values = rows[index]?.values;
      if (values !== undefined) this.#storedKeys.set(values, storedText(key));
    }
  };

  readonly isEmpty = async (): Promise<boolean> => {
    return !(await tryAgain(async () => await this.#writer.find([], []), this.#attempts));
  };

  readonly holds = async (values: ColumnValues): Promise<boolean> => {
    const { columns, keys, strategy } = this.#target;
    const key = keys.map((column) => this.#cellOf(values, column));
    // A table that is enriched in place has its rows before anything was written to them.
    const filled = strategy === "update" ? columns.filter((column) => isWritten(values, column)) : [];
    if (!isWhole(key)) return false; // it could not have been written
    return await tryAgain(async () => await this.#writer.find(key, filled), this.#attempts);
  };

  readonly close = async (outcome: "completed" | "stopped"): Promise<void> => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#runKeys?.close();
    await this.#attempts.connection.close(outcome);
  };

  #stage(values: ColumnValues): (Value | null)[] {
    const cells: (Value | null)[] = [];
    for (const column of this.#target.columns) {
      const value = values[column.mapped];
      const fitted = this.#fit(value, column);
      if (!fitted.ok) {
        const problem = `the column "${column.mapped}": ${fitted.problem}`;
        const facts = { where: column.mapped };
        throw new SinkDataError(this.#sink, problem, { detail: withValue(problem, value), facts });
      }
      cells.push(fitted.value);
    }
    return cells;
  }

  /** None for a key that the columns can't hold (any more): no row has it. */
  #stageGone(values: ColumnValues): readonly StagedRow<Value>[] {
    const cells = this.#target.columns.map((column) => (column.isKey ? this.#cellOf(values, column) : null));
    return cells.every((cell) => cell !== undefined) ? [{ values, cells }] : [];
  }

  #fit(value: unknown, column: TargetColumn<Column>): Fitted<Value | null> {
    if (value !== undefined && value !== null) return column.fit(value);
    if (column.isNullable && !column.isKey) return { ok: true, value: null };
    const problem = column.isKey
      ? "a merge key can't be NULL: it would find no row"
      : "the column is NOT NULL, got NULL";
    return { ok: false, problem, demand: "must not be null" };
  }

  /** Undefined for NULL, and for what does not fit. */
  #cellOf(values: ColumnValues, column: TargetColumn<Column>): Value | undefined {
    const fitted = this.#fit(values[column.mapped], column);
    return fitted.ok ? (fitted.value ?? undefined) : undefined;
  }

  #requireOwn(rows: readonly StagedRow<Value>[], stored: readonly StoredKey[]): void {
    for (const [index, { values, cells }] of rows.entries()) {
      const key = stored[index];
      const own = this.#target.keys.map(({ place }) => cells[place] ?? null);
      if (key === undefined || !isWhole(own) || this.#runKeys?.isTaken(values, own, key) !== true) continue;
      throw this.#keyError(sameKeyProblem, values);
    }
  }

  #keyError(problem: string, values: ColumnValues | undefined): SinkDataError {
    const where = this.#target.keys.map(({ mapped }) => mapped);
    return this.#rowError(`${problem} (${this.#keyNames})`, values, { where });
  }

  #rowError(problem: string, values: ColumnValues | undefined, facts: ErrorFacts): SinkDataError {
    const detail = values === undefined ? undefined : `${problem}: ${this.#keyValues(values)}`;
    return new SinkDataError(this.#sink, problem, { detail, facts });
  }

  #doubt(error: unknown): Error {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const { name: where, quoted } = this.#target.table;
    const problem =
      "the connection broke while rows were being committed, so they may be written or not; " +
      `${quoted} has no unique index over columns of the columnMap by which to look`;
    const hint = `see whether the rows that are pending are there before you run again, or use strategy "merge"`;
    return this.#fail(problem, { cause, facts: { where, isInDoubt: true, hint } });
  }

  #fail(problem: string, options?: ErrorOptions): SinkError {
    return new SinkError(this.#sink, problem, options);
  }

  get #keyNames(): string {
    return this.#target.keys.map(({ mapped }) => mapped).join(", ");
  }

  #keyValues(values: ColumnValues): string {
    return this.#target.keys.map(({ mapped }) => showValue(values[mapped])).join(", ");
  }
}

const sameKeyProblem = "another row of this run has the same merge key";

function withValue(problem: string, value: unknown): string {
  return `${problem}: ${showValue(value)}`;
}

function isWritten(
  values: ColumnValues,
  { mapped, isKey }: { readonly mapped: string; readonly isKey: boolean },
): boolean {
  return !isKey && (values[mapped] ?? null) !== null;
}

function isWhole<Value>(key: readonly (Value | null | undefined)[]): key is readonly Value[] {
  return key.every((cell) => cell !== null && cell !== undefined);
}
