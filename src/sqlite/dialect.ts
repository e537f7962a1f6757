import { withoutTrailingBlanks } from "../table/trailing-blanks.ts";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { messageOf, nameOf } from "../errors/error-text.ts";
import { createTable } from "../table/ddl.ts";
import type { ErrorMeaning, TableDialect, TableKeys } from "../table/dialect.ts";
import { describeTable, type SQLiteColumn } from "./catalog.ts";
import { ddl } from "./ddl.ts";
import { contentFreeMessage, errorNumberOf, isDataError, isKind, isSQLiteError } from "./errors.ts";
import { names, quoteIdentifier } from "./identifiers.ts";
import { type SQLiteConnection, stayedLocked } from "./connection.ts";
import { collationOf, sqliteWriter, type SQLiteTarget, writeStatement } from "./writer.ts";

export const sqliteDialect: TableDialect<SQLiteConnection, SQLiteColumn, SQLInputValue> = {
  name: "sqlite",
  names,
  createTable: (target, table) => createTable(ddl, target, table),
  describe: async ({ database, path, coerces }, request) => {
    return { place: path, ...describeTable(database, { ...request, coerces }) };
  },
  keys: keysOf,
  meaningOf,
  writer: sqliteWriter,
};

/** Rows of a run are compared as the table's unique index does it: after the columns' affinities (text '5' and number 5 in an INTEGER column) and by its collations. */
function keysOf(target: SQLiteTarget): TableKeys<SQLInputValue> {
  const collations = target.keys.map((key) => collationOf(key, target));
  return {
    text: (key) => {
      const texts = key.map((cell, index) => keyText(cell, collations[index] ?? ""));
      return texts.length === 1 ? (texts[0] ?? "") : JSON.stringify(texts);
    },
    parts: (key) => key,
    types: target.keys.map(
      ({ affinity }, index) => `${affinity} COLLATE ${quoteIdentifier(collations[index] ?? "BINARY")}`,
    ),
  };
}

/** As the collation holds it equal; https://www.sqlite.org/datatype3.html#collating_sequences says how. */
function keyText(cell: SQLInputValue, collation: string): string {
  const text = ArrayBuffer.isView(cell) ? bytesOf(cell).toString("hex") : String(cell ?? "");
  if (collation.toUpperCase() === "NOCASE") return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return collation.toUpperCase() === "RTRIM" ? withoutTrailingBlanks(text) : text;
}

function bytesOf({ buffer, byteOffset, byteLength }: NodeJS.ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function meaningOf(
  error: unknown,
  { database, path, patienceMs }: SQLiteConnection,
  target: SQLiteTarget | undefined,
): ErrorMeaning {
  const place = { where: path, errorNumber: errorNumberOf(error) };
  if (isKind(error, "busy")) return { kind: "passing", problem: stayedLocked({ path, patienceMs }), facts: place };
  if (target === undefined)
    return { kind: "fatal", problem: `the database ${path} failed (${messageOf(error)})`, facts: place };
  const facts = { where: target.table.name, errorNumber: errorNumberOf(error) };
  const detail = messageOf(error);
  if (!isSQLiteError(error))
    return { kind: "fatal", problem: `a batch can't be written (${nameOf(error)})`, detail, facts };
  const message = contentFreeMessage(error);
  if (isDataError(error)) return { kind: "data", problem: `the database rejected a row: ${message}`, detail, facts };
  if (isKind(error, "error") && prepares(database, writeStatement(target).sql)) {
    const problem = `an expression of the table (a check, a generated column, a trigger) failed on a row: ${message}`;
    return { kind: "data", problem, detail, facts };
  }
  return { kind: "fatal", problem: `a batch can't be written: ${message}`, facts };
}

/** Tells a function that failed on a row's value from a table that was changed during the run. */
function prepares(database: DatabaseSync, sql: string): boolean {
  try {
    return database.prepare(sql).sourceSQL !== "";
  } catch {
    return false; // why, the error that is being explained says
  }
}
