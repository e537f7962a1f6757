import type { IResult } from "mssql";
import type { ColumnValues } from "../../contracts/sink.ts";
import type { Fail, OpenConnection } from "../connect/connection.ts";
import type { StagedValue } from "./fit.ts";
import { createStaging, stagingRows } from "./staging.ts";
import type { Target } from "./target.ts";
import { inTransaction, type Run } from "../connect/transaction.ts";
import { insertedRows, resultColumns, upsert, upsertText } from "./upsert.ts";
import { keyText, type RowKey } from "./run-keys.ts";

export interface StagedBatch {
  readonly values: readonly ColumnValues[];
  /** Each with a value for each column of the target, in their order. */
  readonly rows: readonly (readonly StagedValue[])[];
}

export interface BatchWriterOptions {
  readonly connection: OpenConnection;
  readonly target: Target;
  readonly signal: AbortSignal;
  readonly fail: Fail;
  /** An error that says why a row can't be written; where it is about a key, with the row's values. */
  readonly refuse: (problem: string, values?: ColumnValues) => Error;
  /** Whether the key is that of another row of the run. */
  readonly isTaken: (key: RowKey, values: ColumnValues) => boolean;
}

/** Writes batches, each in one transaction and six round trips: begin, make the staging table, load it (two), write, commit. */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #staging: string;
  readonly #upsert: string;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
    this.#staging = createStaging(options.target.columns);
    this.#upsert = upsertText(upsert(options.target));
  }

  /** All but the rows and the commit. */
  readonly rehearse = async (): Promise<void> => {
    const { connection, signal } = this.#options;
    await inTransaction(connection.pool, signal, async (run) => {
      await this.#stage(run, []);
      await run((request) => request.query(this.#upsert));
      return [undefined, false];
    });
  };

  /** Gives the keys of the rows; none when inserting. */
  readonly write = async (batch: StagedBatch): Promise<readonly RowKey[]> => {
    const { connection, signal } = this.#options;
    return await inTransaction(connection.pool, signal, async (run) => {
      await this.#stage(run, batch.rows);
      return [await this.#writeStaged(run, batch), true];
    });
  };

  /** Inserts a batch whose commit is in doubt: not if it is there. */
  readonly insertAgain = async (batch: StagedBatch): Promise<readonly RowKey[]> => {
    const { connection, signal, target } = this.#options;
    return await inTransaction(connection.pool, signal, async (run) => {
      await this.#stage(run, batch.rows);
      const known = rowsWith(resultColumns.row, await run((request) => request.query(insertedRows(target))));
      return known.length === batch.rows.length ? [[], false] : [await this.#writeStaged(run, batch), true];
    });
  };

  async #stage(run: Run, rows: StagedBatch["rows"]): Promise<void> {
    const { connection, target, fail } = this.#options;
    const [made] = rowsWith("depth", await run((request) => request.batch(this.#staging)));
    if (made?.["depth"] !== 1) {
      throw fail(
        "the pool's connection was in a transaction already, in which a commit commits nothing; " +
          "end your own transactions before the connection goes back to the pool, and leave implicit transactions off",
      );
    }
    if (rows.length === 0) return;
    const table = stagingRows(connection.driver, target.columns, rows);
    await run((request) => request.bulk(table, { keepNulls: true }));
  }

  async #writeStaged(run: Run, batch: StagedBatch): Promise<readonly RowKey[]> {
    const { target, refuse } = this.#options;
    const { values, rows } = batch;
    const result = await run((request) => request.query(this.#upsert));
    const [lossy] = rowsWith(resultColumns.lossy, result);
    if (lossy !== undefined) {
      const name = target.columns[Number(lossy["column"])]?.mapped ?? "";
      const advice = "make the column NVARCHAR, or replace them in the columnMap";
      throw refuse(`the column "${name}": its code page lacks characters of the text; ${advice}`);
    }
    const [twice] = rowsWith(resultColumns.twice, result);
    if (twice !== undefined) throw this.#sameKey(values[Number(twice[resultColumns.twice])]);
    if (target.keys.length > 0) return this.#keysOf(rowsWith(resultColumns.row, result), batch);
    const [added] = rowsWith(resultColumns.count, result);
    if (added?.[resultColumns.count] === rows.length) return [];
    throw refuse(
      "the server added fewer rows than it was given: a trigger, or an index with IGNORE_DUP_KEY, left some out",
    );
  }

  /** The key of each row, as the target has it now. A row that is not there was not written. */
  #keysOf(found: readonly ResultRow[], { values, rows }: StagedBatch): readonly RowKey[] {
    const { target, isTaken, refuse } = this.#options;
    const byRow = new Map(found.map((row) => [row[resultColumns.row], row]));
    return values.map((rowValues, index) => {
      const row = byRow.get(index);
      if (row === undefined) {
        const missing =
          target.strategy === "update"
            ? `no row of ${target.table} has this merge key (${this.#keyNames()})`
            : `a row is not in ${target.table} after it was written: a trigger or a security policy keeps it out`;
        throw refuse(missing, rowValues);
      }
      const key = this.#rowKey(rows[index] ?? [], row);
      if (isTaken(key, rowValues)) throw this.#sameKey(rowValues);
      return key;
    });
  }

  #rowKey(staged: readonly StagedValue[], row: ResultRow): RowKey {
    const { keys, columns } = this.#options.target;
    const own = ownKey(staged, this.#options.target);
    const written = keys.map((_, index) => storedPart(row[`k${index}`]));
    const stored = keys.map((key, index) => {
      return key.type.isText ? (written[index] ?? null) : (staged[columns.indexOf(key)] ?? null);
    });
    return { own, stored: keyText(stored), written: keyText(written) };
  }

  #sameKey(values: ColumnValues | undefined): Error {
    return this.#options.refuse(`another row of this run has the same merge key (${this.#keyNames()})`, values);
  }

  #keyNames(): string {
    return this.#options.target.keys.map(({ mapped }) => mapped).join(", ");
  }
}

/** The key in the row's own spelling. */
export function ownKey(staged: readonly StagedValue[], { keys, columns }: Target): string {
  return keyText(keys.map((key) => staged[columns.indexOf(key)] ?? null));
}

type ResultRow = Readonly<Record<string, unknown>>;

/** The rows of the result set with that column: triggers may send some of their own. */
function rowsWith(column: string, { recordsets }: IResult<ResultRow>): readonly ResultRow[] {
  const found = Array.isArray(recordsets)
    ? recordsets.find(({ columns }) => Object.hasOwn(columns, column))
    : undefined;
  return found ?? [];
}

/** A text as it is, what is none as bytes. */
function storedPart(part: unknown): string | Uint8Array {
  if (typeof part === "string" || part instanceof Uint8Array) return part;
  throw new TypeError(`expected the stored key of a row as text or bytes, got ${typeof part}`);
}
