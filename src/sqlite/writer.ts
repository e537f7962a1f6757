import { existsSync } from "node:fs";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { messageOf } from "../errors/error-text.ts";
import { OpenFile } from "../files/open-file.ts";
import { realPath } from "../files/real-path.ts";
import type { StagedRow, TableWriter, Target, TargetColumn, WriterErrors } from "../table/dialect.ts";
import type { SQLiteColumn } from "./catalog.ts";
import { requireInPlace, type SQLiteConnection } from "./connection.ts";
import { errorNumberOf } from "./errors.ts";
import { quoteIdentifier } from "./identifiers.ts";
import { requireWritable, setWAL } from "./open.ts";

export type SQLiteTarget = Target<SQLiteColumn, SQLInputValue>;

/** One row's statement: SQL with a `?` for each of `columns`, in their order. */
export interface WriteStatement {
  readonly sql: string;
  readonly columns: readonly TargetColumn<SQLiteColumn>[];
}

/** Writes rows one by one, each batch in one transaction. */
export function sqliteWriter(
  { database, file, path, isLook }: SQLiteConnection,
  target: SQLiteTarget,
  errors: WriterErrors,
): TableWriter<SQLiteColumn, SQLInputValue> {
  const statement = writeStatement(target);
  const isInOrder = statement.columns === target.columns;
  let prepared: StatementSync | undefined;
  let preparedDelete: StatementSync | undefined;
  const logPath = `${realPath(path)}-wal`; // SQLite follows links
  let log: OpenFile | undefined;

  function writeRow({ values, cells }: StagedRow<SQLInputValue>): void {
    prepared ??= database.prepare(statement.sql);
    const bound = isInOrder ? cells : statement.columns.map(({ place }) => cells[place] ?? null);
    if (prepared.run(...bound).changes === 1) return;
    throw target.strategy === "update"
      ? errors.unknownKey(values)
      : errors.leftOut("a trigger of the table ignored a row", undefined);
  }

  function deleteRow({ values, cells }: StagedRow<SQLInputValue>): void {
    const key = target.keys.map(({ place }) => cells[place] ?? null);
    preparedDelete ??= database.prepare(deleteSQL(target));
    if (preparedDelete.run(...key).changes > 0) return;
    if (database.prepare(findSQL(target, true, [])).get(...key) !== undefined) throw errors.notDeleted(values);
  }

  return {
    prove: async () => {
      requireWritable(database, path, errors.fail);
      try {
        prepared = database.prepare(statement.sql);
        if (target.hasGroups) preparedDelete = database.prepare(deleteSQL(target));
      } catch (cause) {
        const problem = `the database does not write to ${target.table.quoted}: ${messageOf(cause)}`;
        throw errors.fail(problem, { cause, facts: { where: target.table.name, errorNumber: errorNumberOf(cause) } });
      }
      if (!isLook) setWAL(database, path, errors.fail);
    },
    write: async (rows, { gone }) => {
      try {
        database.exec("BEGIN IMMEDIATE");
        if (log === undefined && existsSync(logPath)) log = new OpenFile(logPath);
        for (const row of gone) deleteRow(row);
        for (const row of rows) writeRow(row);
        requireInPlace(file);
        if (log !== undefined) requireInPlace(log);
        database.exec("COMMIT"); // checks the deferred foreign keys
      } catch (error) {
        rollBack(database, error, errors);
        throw error;
      }
    },
    find: async (key, filled) => {
      return database.prepare(findSQL(target, key.length > 0, filled)).get(...key) !== undefined;
    },
  };
}

/** A commit that failed, a full disk or a trigger's RAISE(ROLLBACK) may have ended the transaction or not. */
function rollBack(database: DatabaseSync, error: unknown, { fail }: WriterErrors): void {
  try {
    if (database.isOpen && database.isTransaction) database.exec("ROLLBACK");
  } catch (cause) {
    throw fail(`a failed batch can't be rolled back (${messageOf(cause)})`, {
      cause: new AggregateError([error, cause], "the batch failed, and so did its rollback"),
    });
  }
}

/** The statement that writes a row by the target's strategy. Names are quoted, values are parameters. */
export function writeStatement(target: SQLiteTarget): WriteStatement {
  const { strategy, columns, keys } = target;
  const others = columns.filter(({ isKey }) => !isKey);
  const into = inMain(target);
  // OR ABORT: a constraint declared with ON CONFLICT IGNORE or REPLACE would drop rows in silence.
  if (strategy === "update") {
    const set = others.map(({ name }) => `${quoteIdentifier(name)} = ?`).join(", ");
    return { sql: `UPDATE OR ABORT ${into} SET ${set} WHERE ${whereKey(target)}`, columns: [...others, ...keys] };
  }
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  const insert = `INSERT OR ABORT INTO ${into} (${names}) VALUES (${columns.map(() => "?").join(", ")})`;
  if (strategy === "insert") return { sql: insert, columns };
  const conflict = keys.map((key) => `${quoteIdentifier(key.name)}${collate(key, target)}`).join(", ");
  const set = (others.length > 0 ? others : keys.slice(0, 1)) // a key that is all there is stays as it is
    .map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`)
    .join(", ");
  return { sql: `${insert} ON CONFLICT (${conflict}) DO UPDATE SET ${set}`, columns };
}

/** Finds a row by the target's keys, or any; of the columns in `filled` at least one must hold something. */
function findSQL(target: SQLiteTarget, byKey: boolean, filled: readonly TargetColumn<SQLiteColumn>[]): string {
  const isFilled = filled.map(({ name }) => `${quoteIdentifier(name)} IS NOT NULL`).join(" OR ");
  const conditions = [...(byKey ? [whereKey(target)] : []), ...(isFilled === "" ? [] : [`(${isFilled})`])];
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  return `SELECT 1 FROM ${inMain(target)}${where} LIMIT 1`;
}

function deleteSQL(target: SQLiteTarget): string {
  return `DELETE FROM ${inMain(target)} WHERE ${whereKey(target)}`;
}

function inMain({ table }: SQLiteTarget): string {
  return `"main".${table.quoted}`;
}

function whereKey(target: SQLiteTarget): string {
  return target.keys.map((key) => `${quoteIdentifier(key.name)} = ?${collate(key, target)}`).join(" AND ");
}

/** The unique index's collation decides what an equal key is, also where the column has another. */
function collate(key: TargetColumn<SQLiteColumn>, target: SQLiteTarget): string {
  return key.isRowid ? "" : ` COLLATE ${quoteIdentifier(collationOf(key, target))}`;
}

/** By which the table's unique key compares. */
export function collationOf({ name }: SQLiteColumn, { uniqueKey }: SQLiteTarget): string {
  return uniqueKey?.columns.find((column) => column.name === name)?.collation ?? "BINARY";
}
