import type { IResult } from "mssql";
import type { StagedRow, StoredKey, TableConnection, TableWriter, WriterErrors } from "../../table/dialect.ts";
import type { OpenConnection } from "../connect/connection.ts";
import type { ConnectionPlace } from "../connect/connection-errors.ts";
import { inTransaction, type Run } from "../connect/transaction.ts";
import type { SQLServerColumn } from "./column-type.ts";
import type { StagedValue } from "./fit.ts";
import { keyText } from "./keys.ts";
import { createStaging, stagingRows } from "./staging.ts";
import { existsText, insertedRows, resultColumns, type SQLServerTarget, upsert, upsertText } from "./upsert.ts";

export interface TargetConnection extends OpenConnection, TableConnection, ConnectionPlace {}

type Rows = readonly StagedRow<StagedValue>[];

/** Writes batches, each in one transaction and six round trips: begin, make the staging table, load it (two), write, commit. */
export function sqlServerWriter(
  { pool, driver, signal }: Pick<TargetConnection, "pool" | "driver" | "signal">,
  target: SQLServerTarget,
  errors: WriterErrors,
): TableWriter<SQLServerColumn, StagedValue> {
  const { columns, keys, strategy } = target;
  const staging = createStaging(columns);
  const writing = upsertText(upsert(target));

  async function stage(run: Run, rows: Rows): Promise<void> {
    const [made] = rowsWith("depth", await run((request) => request.batch(staging)));
    if (made?.["depth"] !== 1) {
      const problem = "the pool's connection was in a transaction already, in which a commit commits nothing";
      const hint =
        "end your own transactions before the connection goes back to the pool, and leave implicit transactions off";
      throw errors.fail(problem, { facts: { where: "pool", hint } });
    }
    if (rows.length === 0) return;
    const table = stagingRows(driver, columns, rows);
    await run((request) => request.bulk(table, { keepNulls: true }));
  }

  /** The keys of the rows as the target has them now; none when inserting. */
  async function writeStaged(run: Run, rows: Rows): Promise<readonly StoredKey[]> {
    const result = await run((request) => request.query(writing));
    const [lossy] = rowsWith(resultColumns.lossy, result);
    if (lossy !== undefined) {
      const name = columns[Number(lossy["column"])]?.mapped ?? "";
      const hint = "make the column NVARCHAR, or replace them in the columnMap";
      const problem = `the column "${name}": its code page lacks characters of the text`;
      throw errors.leftOut(problem, undefined, { where: name, hint });
    }
    const [twice] = rowsWith(resultColumns.twice, result);
    if (twice !== undefined) throw errors.sameKey(rows[Number(twice[resultColumns.twice])]?.values);
    if (keys.length > 0) return storedKeys(rowsWith(resultColumns.row, result), rows);
    const [added] = rowsWith(resultColumns.count, result);
    if (added?.[resultColumns.count] === rows.length) return [];
    const problem = "the server added fewer rows than it was given";
    throw errors.leftOut(`${problem}: a trigger, or an index with IGNORE_DUP_KEY, left some out`, undefined, {
      where: target.table.name,
      expected: rows.length,
      got: Number(added?.[resultColumns.count] ?? 0),
    });
  }

  function storedKeys(found: readonly ResultRow[], rows: Rows): readonly StoredKey[] {
    const byRow = new Map(found.map((row) => [row[resultColumns.row], row]));
    return rows.map(({ values, cells }, index) => {
      const row = byRow.get(index);
      if (row !== undefined) return storedKey(cells, row);
      if (strategy === "update") throw errors.unknownKey(values);
      const problem = `a row is not in ${target.table.quoted} after it was written`;
      throw errors.leftOut(`${problem}: a trigger or a security policy keeps it out`, values, {
        where: target.table.name,
      });
    });
  }

  function storedKey(cells: StagedRow<StagedValue>["cells"], row: ResultRow): StoredKey {
    const written = keys.map((_, index) => storedPart(row[`k${index}`]));
    const claimed = keys.map(({ isText, place }, index) => (isText ? written[index] : cells[place]) ?? null);
    return { claimed: keyText(claimed), written: keyText(written) };
  }

  return {
    prove: async () => {
      await inTransaction(pool, signal, async (run) => {
        await stage(run, []);
        await run((request) => request.query(writing));
        return [undefined, false];
      });
    },
    write: async (rows, { isInDoubt, guard }) => {
      await inTransaction(pool, signal, async (run) => {
        await stage(run, rows);
        if (isInDoubt && strategy === "insert") {
          // All rows are there or none, since they were added in one transaction.
          const known = rowsWith(resultColumns.row, await run((request) => request.query(insertedRows(target))));
          if (known.length === rows.length) return [undefined, false];
        }
        guard(await writeStaged(run, rows));
        return [undefined, true];
      });
    },
    find: async (key, filled) => {
      const request = pool.request();
      const by = key.length === 0 ? [] : keys;
      for (const [index, { driverType }] of by.entries()) request.input(`k${index}`, driverType(driver), key[index]);
      const { recordset } = await request.query(existsText(target, by, filled));
      return recordset.length > 0;
    },
  };
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
