import { createStaging } from "../../src/sql-server/write/staging.ts";
import { existsText, insertedRows, type SQLServerTarget, upsert } from "../../src/sql-server/write/upsert.ts";
import type { Strategy } from "../../src/table/dialect.ts";
import { targetColumn, targetOf } from "./target.ts";

const strategies: readonly Strategy[] = ["merge", "update_insert", "insert", "update"];

/** Columns of every kind of staging, of which `old` is of a code page that only the server knows. */
function columnsNamed(names: readonly string[]): SQLServerTarget["columns"] {
  const types = [
    { type: "varchar", length: 20 },
    { type: "int" },
    { type: "nvarchar" },
    { type: "decimal", precision: 38, scale: 10 },
    { type: "datetimeoffset", scale: 7 },
    { type: "char", length: 5, codePage: 850 },
    { type: "varbinary" },
    { type: "xml" },
  ];
  return types.map((type, index) => targetColumn(names[index] ?? `column ${index}`, index, type));
}

/** Every statement that the sink sends, one by one: the parser does not know the IF that holds them together. */
export function sinkStatements(table: string, names: readonly string[]): string[] {
  const columns = columnsNamed(names);
  return strategies.flatMap((strategy) => {
    const target = targetOf(strategy, { quoted: table, columns, keyCount: 2 });
    const { settings, checks, write, outcome } = upsert(target);
    const others = [insertedRows(target), existsText(target, target.keys), existsText(target, [])];
    return [...splitStatements(createStaging(columns)), ...settings, ...checks, ...write, outcome, ...others];
  });
}

/** The statements of a text, one by one. */
export function splitStatements(statements: string): string[] {
  return statements.split(/(?<=;)\n/);
}
