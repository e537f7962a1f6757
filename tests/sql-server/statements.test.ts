import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, parse } from "@polyglot-sql/sdk";
import { catalogQuery } from "../../src/sql-server/write/catalog.ts";
import { sinkStatements, splitStatements } from "../support/sink-statements.ts";

const statements = [
  ...new Set([...sinkStatements("[dbo].[odd]]name]", ["id", "n]"]), ...splitStatements(catalogQuery)]),
];

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
