import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  identifierProblem,
  parseTableName,
  quoteIdentifier,
  quoteTableName,
} from "../../src/sql-server/identifiers.ts";
import type { ParsedName, TableName } from "../../src/table/dialect.ts";

const identifier = fc
  .string({ unit: "binary", minLength: 1, maxLength: 128 })
  .filter((text) => identifierProblem(text) === undefined);

function read(text: string): TableName {
  const parsed = parseTableName(text);
  return parsed.ok ? parsed.name : assert.fail(parsed.problem);
}

function rejectionOf(text: string): Extract<ParsedName, { ok: false }> {
  const parsed = parseTableName(text);
  return parsed.ok ? assert.fail(`${text} was read`) : parsed;
}

test("a table's name is read in each of its spellings, and its case is kept", () => {
  const spellings: [string, string, string][] = [
    ["t", "dbo", "t"],
    ["dbo.T", "dbo", "T"],
    ["[my schema].[odd]]name]", "my schema", "odd]name"],
    ['"a""b"', "dbo", 'a"b'],
    ['dbo."x.y"', "dbo", "x.y"],
    ["[a.b].c", "a.b", "c"],
    [" dbo.größe_1#@$ ", "dbo", "größe_1#@$"],
    ["[;DROP TABLE x--]", "dbo", ";DROP TABLE x--"],
    ["[order]", "dbo", "order"],
  ];
  for (const [text, schema, table] of spellings) assert.deepEqual(read(text), { schema, table }, text);
});

test("a text that is no table's name is rejected with how to spell one", () => {
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
    assert.notEqual(rejectionOf(text).facts?.expected, undefined, text);
  }
});

test("a name with a database or a server is rejected", () => {
  const gotOf = (text: string): unknown => rejectionOf(text).facts?.got;
  for (const text of ["db.dbo.t", "db..t"]) assert.equal(gotOf(text), "one with the name of a database");
  for (const text of ["srv.db.dbo.t", "srv...t"]) assert.equal(gotOf(text), "one with 4 parts");
});

test("a name that no object can have is rejected, and not shown", () => {
  const rejected: [string, RegExp][] = [
    ["", /empty/],
    ["s3cret".repeat(30), /has at most 128 characters, this one has 180/],
    ["a\0s3cret", /NUL/],
    ["s3cret\uD800", /half of a surrogate pair/],
  ];
  for (const [name, message] of rejected) {
    assert.throws(() => quoteIdentifier(name), { name: "TypeError", message });
    assert.match(rejectionOf(`[${name}]`).problem, message);
    assert.doesNotMatch(identifierProblem(name) ?? "", /s3cret/);
  }
  assert.equal(identifierProblem("😀".repeat(64)), undefined);
  assert.match(identifierProblem("😀".repeat(65)) ?? "", /130/);
});

test("quoting any name and parsing it gives the name", () => {
  fc.assert(
    fc.property(identifier, identifier, (schema, table) => {
      assert.deepEqual(read(quoteIdentifier(table)), { schema: "dbo", table });
      assert.deepEqual(read(quoteTableName({ schema, table })), { schema, table });
      assert.deepEqual(read(`"${table.replaceAll('"', '""')}"`), { schema: "dbo", table });
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
