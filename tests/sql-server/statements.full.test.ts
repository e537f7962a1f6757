// Full lane: another parser reads hundreds of statements, which takes two seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, parse } from "@polyglot-sql/sdk";
import * as fc from "fast-check";
import { longestIdentifier, quoteTableName } from "../../src/sql-server/identifiers.ts";
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

test("whatever is in a name, a statement stays one statement", () => {
  const sign = fc.constantFrom(
    "]",
    "[",
    "'",
    '"',
    "--",
    ";",
    "/*",
    "*/",
    "DROP TABLE t",
    "\n",
    " ",
    "é",
    "\u{1F600}",
    "a",
    "@",
  );
  const name = fc
    .array(sign, { minLength: 1, maxLength: 12 })
    .map((signs) => signs.join("").slice(0, longestIdentifier));
  fc.assert(
    fc.property(name, name, fc.array(name, { minLength: 2, maxLength: 2 }), (schema, table, names) => {
      fc.pre([schema, table, ...names].every((each) => each.isWellFormed()));
      for (const statement of new Set(sinkStatements(quoteTableName({ schema, table }), names))) {
        const parsed = parse(statement, Dialect.TSQL);
        assert.ok(parsed.success, `${parsed.error}: ${statement}`);
        assert.equal(parsed.ast?.length, 1, statement);
      }
    }),
    { seed: 5, numRuns: 40 },
  );
});
