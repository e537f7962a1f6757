import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import type { Sink } from "../../src/contracts/sink.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import type { DatabaseUnderTest, TestColumn, TestTable } from "../../src/testing/table-under-test.ts";
import { execute, query, temporaryDatabase } from "./sqlite.ts";

export const sqliteKinds = ["a table", "a table without rowid", "a STRICT table", "an untyped table"] as const;

/** As a JavaScript user could, without the types. */
export function constructSQLiteSink<State>(options: object): Sink<State> {
  return Reflect.construct(SQLiteSink, [options]);
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A database file for one check of the suite for sinks of tables. */
export function sqliteUnderTest(t: Pick<TestContext, "after">): DatabaseUnderTest & { readonly path: string } {
  const path = temporaryDatabase(t, "");
  return {
    path,
    create: async (table) => execute(path, createSQL(table)),
    execute: async (sql) => execute(path, sql),
    insert: async (table, rows) => {
      for (const row of rows) {
        const values = Object.values(row).map((value) =>
          value === null ? "NULL" : `'${(value as string).replaceAll("'", "''")}'`,
        );
        execute(
          path,
          `INSERT INTO ${quote(table)} (${Object.keys(row).map(quote).join(", ")}) VALUES (${values.join(", ")})`,
        );
      }
    },
    rows: async (table) => query(path, `SELECT * FROM ${quote(table)}`),
    sink: ({ isTwin = false, targetTable, ...options }) =>
      constructSQLiteSink({
        databasePath: isTwin ? pathToFileURL(path) : path,
        targetTable: isTwin ? `MAIN."${targetTable.toUpperCase()}"` : targetTable,
        ...options,
      }),
    createView: async (name) => execute(path, `CREATE VIEW ${quote(name)} AS SELECT 1 AS id, 2 AS value`),
  };
}

function createSQL({ name, columns, key = [], rejects, kind }: TestTable): string {
  const isTyped = kind !== "an untyped table";
  const definitions = columns.map((column) => `${quote(column.name)} ${isTyped ? definition(column) : ""}`);
  const names = key.map(quote).join(", ");
  const primaryKey = isTyped && key.length > 0 ? [`PRIMARY KEY (${names})`] : [];
  const options = { "a table without rowid": " WITHOUT ROWID", "a STRICT table": " STRICT" }[kind ?? ""] ?? "";
  const trigger = ["INSERT", "UPDATE"].map((event) => {
    return `CREATE TRIGGER no_${event} BEFORE ${event} ON ${quote(name)} WHEN new.value = '${rejects}'
      BEGIN SELECT RAISE(ABORT, 'rejected'); END;`;
  });
  return [
    `CREATE TABLE ${quote(name)} (${[...definitions, ...primaryKey].join(", ")})${options};`,
    ...(isTyped || key.length === 0 ? [] : [`CREATE UNIQUE INDEX i ON ${quote(name)} (${names});`]),
    ...(rejects === undefined ? [] : trigger),
  ].join("\n");
}

function definition(column: TestColumn): string {
  const { name, maxLength, isNotNull = false, computedFrom, ignoresCase = false } = column;
  return [
    "TEXT",
    ...(isNotNull ? ["NOT NULL"] : []),
    ...(ignoresCase ? ["COLLATE NOCASE"] : []),
    ...(column.default === undefined ? [] : [`DEFAULT '${column.default}'`]),
    ...(maxLength === undefined ? [] : [`CHECK (length(${quote(name)}) <= ${maxLength})`]),
    ...(computedFrom === undefined ? [] : [`AS (${quote(computedFrom)})`]),
  ].join(" ");
}
