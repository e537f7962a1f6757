import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import * as fc from "fast-check";
import { foldName, names, parseTableName, quoteIdentifier } from "../../src/sqlite/identifiers.ts";

test("a quoted name is that name to SQLite, whatever is in it", () => {
  const database = new DatabaseSync(":memory:");
  const name = fc
    .string({ unit: "binary", minLength: 1 })
    .filter((text) => text.isWellFormed() && !text.includes("\0"));
  fc.assert(
    fc.property(name, (text) => {
      const [column] = database.prepare(`SELECT 1 AS ${quoteIdentifier(text)}`).columns();
      assert.equal(column?.name, text);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("a name with a NUL character and an empty name are refused", () => {
  assert.throws(() => quoteIdentifier("a\0b"), /NUL/);
  assert.throws(() => quoteIdentifier(""), TypeError);
});

test("names fold as SQLite folds them: A to Z and no other letter", () => {
  assert.equal(foldName("AbcÄ_Z"), "abcÄ_z");
});

test("a table's name is read in each of its spellings", () => {
  const spellings: [string, string[]][] = [
    ["visits", ["visits"]],
    ["main.visits", ["main", "visits"]],
    ['"odd ""name""".t', ['odd "name"', "t"]],
    ["[odd]]name]", ["odd]name"]],
    ["[a.b].[c d]", ["a.b", "c d"]],
    ["`back``tick`", ["back`tick"]],
    ["größe_1#@$-", ["größe_1#@$-"]],
  ];
  for (const [text, parts] of spellings) assert.deepEqual(parseTableName(text), parts, text);
});

test("a text that is no table's name is not read as one", () => {
  for (const text of [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a b",
    "a;b",
    '"a',
    "[a",
    '""',
    "[]",
    "a'b",
    '"a"b',
    "a\0",
    '"a\0"',
  ]) {
    assert.equal(parseTableName(text), undefined, JSON.stringify(text));
  }
});

test("any name can be spelt in quotes and in brackets", () => {
  const name = fc
    .string({ unit: "binary", minLength: 1 })
    .filter((text) => text.isWellFormed() && !text.includes("\0"));
  fc.assert(
    fc.property(name, (text) => {
      assert.deepEqual(parseTableName(quoteIdentifier(text)), [text]);
      assert.deepEqual(parseTableName(`[${text.replaceAll("]", "]]")}]`), [text]);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("the one schema is main; of a name in it the table is known", () => {
  const { parse } = names;
  assert.deepEqual(parse("visits"), { ok: true, name: { schema: undefined, table: "visits" } });
  assert.deepEqual(parse('MAIN."odd ""name"""'), { ok: true, name: { schema: undefined, table: 'odd "name"' } });
  assert.deepEqual(parse("dbo.visits"), {
    ok: false,
    problem: "",
    facts: { expected: 'no schema but "main"', got: '"dbo"' },
  });
  const expected = `a table's name such as visits, main.visits or "odd name"`;
  assert.deepEqual(parse("a.b.c"), { ok: false, problem: "", facts: { expected, got: '"a.b.c"' } });
});
