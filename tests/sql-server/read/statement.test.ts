import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { requireQuery, scanStatement } from "../../../src/sql-server/read/statement.ts";
import { failsWith } from "../../support/error-facts.ts";
import { sourceFail as fail } from "../../support/sql-server-errors.ts";

const accepts = (sql: string): void => void requireQuery(sql, "the sql", fail);

test("variables are found once each, without their @, and those of the server are left out", () => {
  const { variables } = scanStatement("SELECT @a, @b, @a, @@ROWCOUNT, @é_1$#, x@y FROM t WHERE id>@c");
  assert.deepEqual(variables, ["a", "b", "é_1$#", "c"]);
});

test("what stands in quotes, brackets and comments is no variable, no word and no end of a statement", () => {
  const hidden = [
    "'@x;DROP''@x'",
    "N'@x; GO'",
    '"@x;""DROP"',
    "[@x;]]DROP]",
    "-- @x; DROP\n",
    "-- @x; DROP\r",
    "/* @x; /* nested; DROP */ @x */",
    "/* ' */",
    "'/*'",
    "'\nGO\n'",
    "/*\nGO\n*/",
    "[\ngo\n]",
  ];
  for (const piece of hidden) {
    const scan = scanStatement(`SELECT ${piece} AS a, @y AS b FROM t`);
    assert.deepEqual(scan.variables, ["y"], piece);
    assert.equal(scan.count, 1, piece);
    assert.equal(scan.separatorLine, undefined, piece);
    assert.ok(!scan.words.includes("DROP"), piece);
  }
});

test("statements are counted where semicolons part them, whatever stands before the first and after the last", () => {
  const counts: readonly (readonly [string, number])[] = [
    ["", 0],
    [" -- nothing\n/* at all */ ;;", 0],
    [";WITH a AS (SELECT 1 AS x) SELECT x FROM a;", 1],
    ["SELECT 1 AS a; -- the end\n;", 1],
    ["SELECT 1 AS a; SELECT 2 AS b", 2],
    ["SET NOCOUNT ON;SELECT 1 AS a;", 2],
    ["SELECT 'a;b' AS a", 1],
    ["SELECT 1 AS a /* never closed ; SELECT", 1],
    ["SELECT 'never closed ; SELECT", 1],
  ];
  for (const [sql, count] of counts) assert.equal(scanStatement(sql).count, count, sql);
});

test("GO alone on its line is a batch separator, with its line; elsewhere it is a word", () => {
  assert.equal(scanStatement("SELECT 1 AS a\r\nGO\r\nSELECT 2 AS b").separatorLine, 2);
  assert.equal(scanStatement("SELECT 1 AS a\n  go 5  \n").separatorLine, 2);
  assert.equal(scanStatement("SELECT 1\n\n\nGo -- done").separatorLine, 4);
  assert.equal(scanStatement("GO").separatorLine, 1);
  assert.equal(scanStatement("SELECT go FROM t").separatorLine, undefined);
  assert.equal(scanStatement("SELECT 1 AS\ngo_1\n").separatorLine, undefined);
  assert.equal(scanStatement("SELECT a.\nGO, b FROM t").separatorLine, undefined);
});

test("a query is a SELECT or WITH … SELECT, also in parentheses, and its words may be names in brackets", () => {
  const fine = [
    "SELECT a FROM t ORDER BY a",
    "(SELECT 1 AS a) UNION ALL (SELECT 2)",
    "with c AS (SELECT 1 AS a) select a from c option (merge join)",
    "SELECT [delete], t.[update] AS [into] FROM t",
    "SELECT 'INSERT' AS a -- DROP TABLE t",
    "SELECT 1 AS a FROM t INNER MERGE JOIN u ON t.a = u.a",
    "SELECT inserted, deleted, updated, created_at FROM t",
  ];
  for (const sql of fine) accepts(sql);
});

test("a text that is not one query is rejected with what was found", () => {
  const rejected: readonly (readonly [string, ErrorFacts])[] = [
    ["", { statements: 0 }],
    ["SELECT 1\0 AS a", { hint: "save it as UTF-8, without it" }],
    ["SELECT '\ud800' AS a", { hint: "save it as UTF-8" }],
    ["SELECT 1 AS a\nGO", { word: "GO", line: 2 }],
    ["SELECT 1 AS a; SELECT 2 AS a", { statements: 2 }],
    ["DECLARE @a INT = 1; SELECT @a AS a", { statements: 2 }],
    ["EXEC dbo.get_visits", { word: "EXEC" }],
    ["@x", {}],
    ["DELETE FROM t OUTPUT deleted.id", { word: "DELETE" }],
    ["WITH c AS (SELECT 1 AS a) DELETE FROM c", { word: "DELETE", expected: "a query that only reads" }],
    ["SELECT * INTO #t FROM t", { word: "INTO" }],
    ["SELECT 1 AS a DROP TABLE t", { word: "DROP" }],
    ["SELECT @Id AS a, @id AS b", { parameter: "id" }],
  ];
  for (const [sql, facts] of rejected) {
    assert.throws(() => accepts(sql), failsWith("SOURCE_FAILED", { where: "the sql", ...facts }), sql);
  }
});

test("a text of any kind is scanned to its end, and quoting it hides it", () => {
  const piece = fc.constantFrom(
    "'",
    '"',
    "[",
    "]",
    "/*",
    "*/",
    "--",
    "\n",
    "\r\n",
    ";",
    "@a",
    "GO",
    "SELECT",
    " ",
    "x",
    "\0",
    "é",
  );
  const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: "binary" })), (sql) => {
      const scan = scanStatement(sql);
      assert.ok(scan.count <= sql.length);
      const quoted = [
        `'${sql.replaceAll("'", "''")}'`,
        `[${sql.replaceAll("]", "]]")}]`,
        `"${sql.replaceAll('"', '""')}"`,
      ];
      for (const hidden of quoted) {
        const around = scanStatement(`SELECT ${hidden} AS a, @after`);
        assert.deepEqual(around, {
          count: 1,
          variables: ["after"],
          words: ["SELECT", "AS", "A"],
          separatorLine: undefined,
        });
      }
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("a long quoted text takes no recursion", () => {
  assert.equal(scanStatement(`SELECT '${"''@x;".repeat(200_000)}' AS a`).count, 1);
  assert.equal(scanStatement(`SELECT 1 AS a ${"/*".repeat(100_000)}`).count, 1);
});
