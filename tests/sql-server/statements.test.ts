import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, parse } from "@polyglot-sql/sdk";
import { catalogQuery } from "../../src/sql-server/write/catalog.ts";
import { createStaging } from "../../src/sql-server/write/staging.ts";
import type { Strategy } from "../../src/table/dialect.ts";
import { existsText, insertedRows, type SQLServerTarget, upsert } from "../../src/sql-server/write/upsert.ts";
import { targetColumn, targetOf } from "../support/target.ts";

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
function sinkStatements(table: string, names: readonly string[]): string[] {
  const columns = columnsNamed(names);
  return strategies.flatMap((strategy) => {
    const target = targetOf(strategy, { quoted: table, columns, keyCount: 2 });
    const { settings, checks, write, outcome } = upsert(target);
    const others = [insertedRows(target), existsText(target, target.keys), existsText(target, [])];
    return [...split(createStaging(columns)), ...settings, ...checks, ...write, outcome, ...others];
  });
}

function split(statements: string): string[] {
  return statements.split(/(?<=;)\n/);
}

const statements = [...new Set([...sinkStatements("[dbo].[odd]]name]", ["id", "n]"]), ...split(catalogQuery)])];

/** The first of these that changes a statement makes it no T-SQL. */
const spoilers: readonly (readonly [RegExp, string])[] = [
  [/ USING /, " USNG "],
  [/^UPDATE t SET /, "UPDATE t ST "],
  [/^INSERT INTO /, "INSERT IN TO "],
  [/^CREATE TABLE (.*)\);$/s, "CREATE TABLE $1;"],
  [/^DROP TABLE IF EXISTS .*$/s, "DROP TABLE IF EXISTS;"],
  [/ = OBJECT_ID/, " = = OBJECT_ID"],
  [/^SET (\w+) (ON|OFF|\d+);$/, "SETT $1 $2;"],
  [/ AS \[(\w+)\];$/, " AS AS [$1];"],
  [/ FROM /, " FRM ("],
  [/\nFROM /, "\nFRM ("],
];

test("every statement is T-SQL, and its spoiled twin is not", () => {
  assert.ok(statements.length > 25);
  for (const statement of statements) {
    const parsed = parse(statement, Dialect.TSQL);
    assert.ok(parsed.success, `${parsed.error}: ${statement}`);
    assert.equal(parsed.ast?.length, 1, statement);
    const [pattern, replacement] = spoilers.find(([each]) => each.test(statement)) ?? assert.fail(statement);
    const twin = statement.replace(pattern, replacement);
    assert.equal(parse(twin, Dialect.TSQL).success, false, twin);
  }
});
