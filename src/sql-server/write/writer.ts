import type { IResult } from "mssql";
import type {
  StagedRow,
  StoredKey,
  TableConnection,
  TableWriter,
  WriteContext,
  WriterErrors,
} from "../../table/dialect.ts";
import type { OpenConnection } from "../connect/connection.ts";
import type { ConnectionPlace } from "../connect/connection-errors.ts";
import { inTransaction, nestingOf, type ResultRow, type Run } from "../connect/transaction.ts";
import type { SQLServerColumn } from "./column-type.ts";
import type { StagedValue } from "../../table/fit.ts";
import { comparable, keyText } from "./keys.ts";
import { createStaging, stagingRows } from "./staging.ts";
import {
  existsText,
  insertedRows,
  removal,
  resultColumns,
  type SQLServerTarget,
  upsert,
  upsertText,
} from "./upsert.ts";

export interface TargetConnection extends OpenConnection, TableConnection, ConnectionPlace {}

type Rows = readonly StagedRow<StagedValue>[];

/** Writes batches, each in one transaction and five round trips: begin and make the staging table, load it (two), write, commit. */
export class SQLServerWriter implements TableWriter<SQLServerColumn, StagedValue> {
  readonly #connection: Pick<TargetConnection, "pool" | "driver" | "signal" | "patienceMs">;
  readonly #target: SQLServerTarget;
  readonly #errors: WriterErrors;
  readonly #staging: string;
  readonly #writing: string;

  constructor(
    connection: Pick<TargetConnection, "pool" | "driver" | "signal" | "patienceMs">,
    target: SQLServerTarget,
    errors: WriterErrors,
  ) {
    this.#connection = connection;
    this.#target = target;
    this.#errors = errors;
    this.#staging = createStaging(target.columns);
    this.#writing = upsertText(upsert(target, connection.patienceMs));
  }

  readonly prove = async (): Promise<void> => {
    const { pool, signal, patienceMs } = this.#connection;
    const work = async (run: Run, begun: IResult<ResultRow>): Promise<readonly [undefined, boolean]> => {
      await this.#stage(run, begun, []);
      if (this.#target.hasGroups) await this.#remove(run, []);
      await run((request) => request.query(this.#writing));
      return [undefined, false];
    };
    await inTransaction(pool, signal, work, { first: this.#staging, waitMs: patienceMs });
  };

  readonly write = async (rows: Rows, { gone, isInDoubt, guard, leftMs }: WriteContext<StagedValue>): Promise<void> => {
    const { pool, signal } = this.#connection;
    const work = async (run: Run, begun: IResult<ResultRow>): Promise<readonly [undefined, boolean]> => {
      if (gone.length > 0) {
        await this.#stage(run, begun, gone);
        await this.#remove(run, gone);
      }
      if (rows.length === 0) return [undefined, true];
      await this.#stage(run, begun, rows);
      if (isInDoubt && this.#target.strategy === "insert") {
        // All rows are there or none, since they were added in one transaction.
        const found = await run((request) => request.query(insertedRows(this.#target)));
        if (rowsWith(resultColumns.row, found).length === rows.length) return [undefined, false];
      }
      guard(await this.#writeStaged(run, rows));
      return [undefined, true];
    };
    await inTransaction(pool, signal, work, { first: this.#staging, waitMs: leftMs });
  };

  readonly find = async (key: readonly StagedValue[], filled: SQLServerTarget["columns"]): Promise<boolean> => {
    const { pool, driver } = this.#connection;
    const request = pool.request();
    const by = key.length === 0 ? [] : this.#target.keys;
    for (const [index, { driverType }] of by.entries()) request.input(`k${index}`, driverType(driver), key[index]);
    const { recordset } = await request.query(existsText(this.#target, by, filled));
    return recordset.length > 0;
  };

  /** `begun`: what the server said as it began the transaction, and made the staging table. */
  async #stage(run: Run, begun: IResult<ResultRow>, rows: Rows): Promise<void> {
    const found = nestingOf(begun);
    if (found !== undefined) throw this.#errors.fail(found.problem, { facts: found.facts });
    if (rows.length === 0) return;
    const table = stagingRows(this.#connection.driver, this.#target.columns, rows);
    const options = { keepNulls: true, lockTable: true }; // a name of the driver's that its types don't have
    await run((request) => request.bulk(table, options));
  }

  /** Deletes the rows of the target that are staged, and empties the staging table. */
  async #remove(run: Run, gone: Rows): Promise<void> {
    const { patienceMs } = this.#connection;
    const result = await run((request) => request.query(removal(this.#target, patienceMs)));
    const [left] = rowsWith(resultColumns.count, result);
    if (Number(left?.[resultColumns.count] ?? 0) > 0) {
      throw this.#errors.notDeleted(gone.length === 1 ? gone[0]?.values : undefined);
    }
  }

  /** The keys of the rows as the target has them now; none when inserting. */
  async #writeStaged(run: Run, rows: Rows): Promise<readonly StoredKey[]> {
    const { table, columns, keys } = this.#target;
    const result = await run((request) => request.query(this.#writing));
    const [lossy] = rowsWith(resultColumns.lossy, result);
    if (lossy !== undefined) {
      const where = columns[Number(lossy["column"])]?.mapped ?? "";
      const hint = "make the column NVARCHAR, or replace them in the columnMap";
      const problem = `the column "${where}": its code page lacks characters of the text`;
      throw this.#errors.leftOut(problem, undefined, { where, hint });
    }
    const [twice] = rowsWith(resultColumns.twice, result);
    if (twice !== undefined) throw this.#errors.sameKey(rows[Number(twice[resultColumns.twice])]?.values);
    if (keys.length > 0) return this.#storedKeys(rowsWith(resultColumns.row, result), rows);
    const [added] = rowsWith(resultColumns.count, result);
    const got = Number(added?.[resultColumns.count] ?? 0);
    if (got === rows.length) return [];
    const problem =
      "the server added fewer rows than it was given: a trigger, or an index with IGNORE_DUP_KEY, left some out";
    throw this.#errors.leftOut(problem, undefined, { where: table.name, expected: rows.length, got });
  }

  #storedKeys(found: readonly ResultRow[], rows: Rows): readonly StoredKey[] {
    const { table, keys, strategy } = this.#target;
    const byRow = new Map(found.map((row) => [row[resultColumns.row], row]));
    return rows.map(({ values, cells }, index) => {
      const row = byRow.get(index);
      if (row === undefined) {
        if (strategy === "update") throw this.#errors.unknownKey(values);
        const problem = `a row is not in ${table.quoted} after it was written: a trigger or a security policy keeps it out`;
        throw this.#errors.leftOut(problem, values, { where: table.name });
      }
      const written = keys.map((_, part) => storedPart(row[`k${part}`]));
      const claimed = keys.map((key, part) => {
        return (key.isText ? written[part] : comparable(cells[key.place] ?? null, key)) ?? null;
      });
      return { claimed: keyText(claimed), written: keyText(written) };
    });
  }
}

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
