import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { SinkDataError, SinkError } from "../errors/sink.ts";
import { messageOf } from "../errors/thrown.ts";
import type { ColumnLimit, ColumnValues, SinkSession, Violation } from "../contracts/sink.ts";
import { misfitOf } from "./column-fit.ts";
import { contentFreeMessage, isDataRefusal, isKind, isSQLiteError } from "./errors.ts";
import { MergeKeys } from "./merge-keys.ts";
import type { Fail } from "./open.ts";
import type { Target, TargetColumn } from "./target.ts";
import { bindingProblem, showValue, toSQLiteValue } from "./values.ts";
import { findStatement, type WriteStatement, writeStatement } from "./write-statement.ts";

/** Waits for the lock that the attempt needs. */
type Unlocked = (attempt: () => void) => Promise<void>;

/** One opened target. `check` and `write` agree on what a row's values become. */
export class WriteSession implements SinkSession {
  readonly #database: DatabaseSync;
  readonly #target: Target;
  readonly #fail: Fail;
  readonly #unlocked: Unlocked;
  readonly #statement: WriteStatement;
  readonly #prepared: StatementSync;
  readonly #seen: MergeKeys | undefined;

  constructor(database: DatabaseSync, target: Target, fail: Fail, unlocked: Unlocked) {
    this.#fail = fail;
    this.#database = database;
    this.#target = target;
    this.#unlocked = unlocked;
    this.#statement = writeStatement(target);
    this.#prepared = this.#prepare();
    this.#seen = target.keys.length === 0 ? undefined : new MergeKeys(target.keys);
  }

  readonly check = (values: ColumnValues): readonly Violation[] => {
    const violations: Violation[] = [];
    for (const column of this.#target.columns) {
      const value = values[column.mapped];
      const message = this.#misfitOf(value, column);
      if (message === undefined) continue;
      violations.push({ column: column.mapped, message, detail: `${message}: ${showValue(value)}` });
    }
    if (violations.length > 0 || this.#seen === undefined || this.#seen.add(values)) return violations;
    const message = "another row of this run has the same merge key";
    return [{ column: this.#keyNames(), message, detail: `${message}: ${this.#keyValues(values)}` }];
  };

  readonly write = async (batch: readonly ColumnValues[]): Promise<void> => {
    if (batch.length === 0) return;
    if (!this.#database.isOpen) throw this.#fail("the sink is closed: nothing can be written to it any more");
    try {
      await this.#unlocked(() => this.#database.exec("BEGIN IMMEDIATE"));
      for (const values of batch) this.#writeRow(values);
      this.#database.exec("COMMIT"); // checks the deferred foreign keys
    } catch (error) {
      this.#rollBack(error);
      throw this.#explain(error);
    }
  };

  get limits(): Readonly<Record<string, ColumnLimit>> {
    return Object.fromEntries(
      this.#target.columns.map((column) => {
        const { mapped, maxLength } = column;
        const problemOf: ColumnLimit["problemOf"] = (value) => {
          const message = this.#misfitOf(value, column) ?? overlongMessage(value, maxLength);
          return message === undefined ? undefined : { message, detail: `${message}: ${showValue(value)}` };
        };
        return [mapped, { schema: maxLength === undefined ? {} : { maxLength }, problemOf }];
      }),
    );
  }

  readonly keyOf = (values: ColumnValues): string | undefined => {
    const texts = this.#target.keys.map(({ mapped, collation }) => keyText(values[mapped], collation));
    return texts.length > 1 ? JSON.stringify(texts) : texts[0];
  };

  readonly isEmpty = async (): Promise<boolean> => {
    return !(await this.#finds(findStatement({ table: this.#target.table, keys: [] }), {}));
  };

  readonly holds = async (values: ColumnValues): Promise<boolean> => {
    const { columns, keys, strategy } = this.#target;
    const written = columns.filter(({ name, mapped }) => {
      return (values[mapped] ?? null) !== null && !keys.some((key) => key.name === name);
    });
    return await this.#finds(findStatement(this.#target, strategy === "update" ? written : []), values);
  };

  readonly close = async (): Promise<void> => {
    this.#seen?.close();
    if (this.#database.isOpen) this.#database.close();
  };

  async #finds({ sql, columns }: WriteStatement, values: ColumnValues): Promise<boolean> {
    const bound = columns.map(({ mapped }) => toSQLiteValue(values[mapped]));
    let found = false;
    try {
      await this.#unlocked(() => {
        found = this.#database.prepare(sql).get(...bound) !== undefined;
      });
    } catch (error) {
      throw this.#explain(error);
    }
    return found;
  }

  #writeRow(values: ColumnValues): void {
    const bound = this.#statement.columns.map(({ mapped }) => {
      const value = values[mapped];
      const problem = bindingProblem(value);
      if (problem !== undefined) throw refusal(`the column "${mapped}": SQLite can't hold ${problem}`);
      return toSQLiteValue(value);
    });
    if (this.#prepared.run(...bound).changes === 1) return;
    if (this.#target.strategy !== "update") throw refusal("a trigger of the table ignored a row");
    const problem = `no row of "${this.#target.table}" has this merge key (${this.#keyNames()})`;
    throw refusal(problem, { detail: `${problem}: ${this.#keyValues(values)}` });
  }

  /** A commit that failed, a full disk or a trigger's RAISE(ROLLBACK) may have ended the transaction or not. */
  #rollBack(error: unknown): void {
    try {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch (cause) {
      throw this.#fail(`a failed batch can't be rolled back (${messageOf(cause)})`, {
        cause: new AggregateError([error, cause], "the batch failed, and so did its rollback"),
      });
    }
  }

  #explain(cause: unknown): unknown {
    if (cause instanceof SinkDataError || cause instanceof SinkError) return cause;
    const message = contentFreeMessage(cause);
    if (isDataRefusal(cause)) {
      return refusal(`the database refused a row: ${message}`, { cause, detail: messageOf(cause) });
    }
    if (isKind(cause, "error") && this.#stillPrepares()) {
      const problem = `an expression of the table (a check, a generated column, a trigger) failed on a row: ${message}`;
      return refusal(problem, { cause, detail: messageOf(cause) });
    }
    if (!isSQLiteError(cause)) return cause; // the reason of an aborted wait
    return this.#fail(`a batch can't be written: ${message}`, { cause });
  }

  #prepare(): StatementSync {
    try {
      return this.#database.prepare(this.#statement.sql);
    } catch (cause) {
      const problem = `the database refuses to write to "${this.#target.table}": ${messageOf(cause)}`;
      throw this.#fail(problem, { cause });
    }
  }

  /** Tells a function that failed on a row's value from a table that was changed during the run. */
  #stillPrepares(): boolean {
    try {
      return this.#database.prepare(this.#statement.sql).sourceSQL !== "";
    } catch {
      return false; // why, the error that is being explained says
    }
  }

  #misfitOf(value: unknown, column: TargetColumn): string | undefined {
    const { keys, strategy } = this.#target;
    if ((value === undefined || value === null) && keys.some(({ name }) => name === column.name)) {
      return "a merge key can't be NULL: it would find no row";
    }
    return misfitOf(value, column, column.isRowid ? strategy !== "update" : !column.isNotNull);
  }

  #keyNames(): string {
    return this.#target.keys.map(({ mapped }) => mapped).join(", ");
  }

  #keyValues(values: ColumnValues): string {
    return this.#target.keys.map(({ mapped }) => showValue(values[mapped])).join(", ");
  }
}

/** SQLite's own `length` counts code points; a declared length is not enforced, but what is longer is not meant to be there. */
function overlongMessage(value: unknown, maxLength: number | undefined): string | undefined {
  if (typeof value !== "string" || maxLength === undefined || value.length <= maxLength) return undefined;
  const length = [...value].length;
  return length <= maxLength ? undefined : `must have at most ${maxLength} characters, got ${length}`;
}

/** As the collation holds it equal; https://www.sqlite.org/datatype3.html#collating_sequences says how. */
function keyText(value: unknown, collation: string): string {
  const bound = toSQLiteValue(value);
  const text = typeof bound === "object" ? (bound === null ? "" : bytesOf(bound).toString("hex")) : String(bound);
  if (collation.toUpperCase() === "NOCASE") return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return collation.toUpperCase() === "RTRIM" ? text.replace(/ +$/, "") : text;
}

function bytesOf({ buffer, byteOffset, byteLength }: NodeJS.ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function refusal(problem: string, options?: ErrorOptions): SinkDataError {
  return new SinkDataError("sqlite", problem, options);
}
