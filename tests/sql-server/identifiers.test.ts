import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  identifierProblem,
  parseTableName,
  quoteIdentifier,
  quoteTableName,
} from "../../src/sql-server/identifiers.ts";
import type { TableName } from "../../src/table/dialect.ts";

const identifier = fc
  .string({ unit: "binary", minLength: 1, maxLength: 128 })
  .filter((text) => identifierProblem(text) === undefined);

function read(text: string): TableName {
  const parsed = parseTableName(text);
  return parsed.ok ? parsed.name : assert.fail(parsed.problem);
}

function problemOf(text: string): string {
  const parsed = parseTableName(text);
  return parsed.ok ? assert.fail(`${text} was read`) : parsed.problem;
}

test("a table's name is read in each of its spellings, and its case is kept", () => {
  const spellings: [string, string | undefined, string][] = [
    ["t", undefined, "t"],
    ["dbo.T", "dbo", "T"],
    ["[my schema].[odd]]name]", "my schema", "odd]name"],
    ['"a""b"', undefined, 'a"b'],
    ['dbo."x.y"', "dbo", "x.y"],
    ["[a.b].c", "a.b", "c"],
    [" dbo.größe_1#@$ ", "dbo", "größe_1#@$"],
    ["[;DROP TABLE x--]", undefined, ";DROP TABLE x--"],
    ["[order]", undefined, "order"],
  ];
  for (const [text, schema, table] of spellings) assert.deepEqual(read(text), { schema, table }, text);
});

test("a text that is no table's name is refused with how to spell one", () => {
  for (const text of [
    "",
    ".",
    "a.",
    ".a",
    "a b",
    "a;b",
    "[a",
    '"a',
    "a'b",
    '"a"b',
    "1a",
    "@a",
    "a-b",
    "[a]b",
    "a.[b",
    "a..",
  ]) {
    assert.match(problemOf(text), /^expected a table's name: t, dbo\.t or \[my schema\]\.\[odd\]\]name\]/, text);
  }
});

test("a name with a database or a server is refused with where to name it", () => {
  assert.match(
    problemOf("db.dbo.t"),
    /got one with the name of a database; name the database in the connection string/,
  );
  assert.match(problemOf("db..t"), /the name of a database/);
  assert.match(problemOf("srv.db.dbo.t"), /got one with 4 parts/);
  assert.match(problemOf("srv...t"), /got one with 4 parts/);
});

test("a name that no object can have is refused, and not shown", () => {
  const refusals: [string, RegExp][] = [
    ["", /can't be empty/],
    ["s3cret".repeat(30), /has at most 128 characters, this one has 180/],
    ["a\0s3cret", /can't hold a NUL/],
    ["s3cret\uD800", /half of a surrogate pair/],
  ];
  for (const [name, message] of refusals) {
    assert.throws(() => quoteIdentifier(name), { name: "TypeError", message });
    assert.match(problemOf(`[${name}]`), message);
    assert.doesNotMatch(identifierProblem(name) ?? "", /s3cret/);
  }
  assert.equal(identifierProblem("😀".repeat(64)), undefined);
  assert.match(identifierProblem("😀".repeat(65)) ?? "", /130/);
});

test("quoting any name and parsing it gives the name", () => {
  fc.assert(
    fc.property(identifier, identifier, (schema, table) => {
      assert.deepEqual(read(quoteIdentifier(table)), { schema: undefined, table });
      assert.deepEqual(read(quoteTableName({ schema, table })), { schema, table });
      assert.deepEqual(read(`"${table.replaceAll('"', '""')}"`), { schema: undefined, table });
    }),
    { seed: 7, numRuns: 500 },
  );
});

test("a quoted name is one token to SQL Server: a bracket within it is always doubled", () => {
  fc.assert(
    fc.property(identifier, (name) => {
      assert.match(quoteIdentifier(name), /^\[(?:[^\]]|\]\])+\]$/);
    }),
    { seed: 8, numRuns: 500 },
  );
});
