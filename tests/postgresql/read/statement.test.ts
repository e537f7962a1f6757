import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { SourceError } from "../../../src/errors/source.ts";
import { parseQuery } from "../../../src/postgresql/read/statement.ts";
import type { Query } from "../../../src/table/query-statement.ts";
import { failsWith } from "../../support/error-facts.ts";

function parse(sql: string): Query {
  return parseQuery(sql, "the sql", (problem, options) => new SourceError("postgresql", problem, options));
}

test("names with @ become numbers, each one its own, and operators, quotes and comments stay as they are", () => {
  const sql = String.raw`SELECT @b, @a::int, @b, '@no', E'\'@no', "@no", $$ @no $$, $q$ $$ @no $q$, a @> b, a <@b, a @@to_tsquery('x'), @ -5, x^@y
    -- @no ; not
    /* @no /* ; @no */ ; */ WHERE a=@a AND name @@ @c_1`;
  const { text, parameters } = parse(`${sql};\n-- the end`);
  assert.deepEqual(parameters, ["b", "a", "c_1"]);
  const expected = sql
    .replaceAll(/(?<!<)@b(?=,)/g, "$$1")
    .replace("@a::", "$2::")
    .replace("=@a", "=$2")
    .replace("@c_1", "$3");
  assert.equal(text, expected);
});

test("a query is plain where a page of it is a part of it", () => {
  const plain = [
    "SELECT a FROM t WHERE b IN (SELECT b FROM u ORDER BY 1 LIMIT 3)",
    "select a, (select count(*) from u group by b limit 1) from t join v using (a)",
    "SELECT count(DISTINCT a) FILTER (WHERE true) AS id FROM t",
    `SELECT "order", 'limit' FROM t`,
    "SELECT a FROM t WHERE b IS DISTINCT FROM c OR b is not distinct from d",
    "SELECT n AS id, a::timestamp with time zone FROM unnest(ARRAY[1]) WITH ORDINALITY AS u (x, n)",
  ];
  for (const sql of plain) assert.equal(parse(sql).isPlain, true, sql);
  const whole = [
    "SELECT a FROM t ORDER BY a",
    "SELECT a FROM t LIMIT 3",
    "SELECT DISTINCT a FROM t",
    "SELECT a FROM t GROUP BY a",
    "SELECT a FROM t UNION ALL SELECT b FROM u",
    "SELECT a, row_number() OVER (ORDER BY a) FROM t",
    "WITH u AS (SELECT 1 AS a) SELECT a FROM u",
    "VALUES (1), (2)",
    "TABLE t",
    "(SELECT a FROM t ORDER BY a)",
    "SELECT DISTINCT ON (b) a FROM t WHERE b IS DISTINCT FROM c",
    "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
  ];
  for (const sql of whole) assert.equal(parse(sql).isPlain, false, sql);
});

test("a text that is not one query is rejected, with what it is", () => {
  const wrong: readonly (readonly [string, ErrorFacts])[] = [
    ["", { got: 0 }],
    ["; -- nothing", { got: 0 }],
    ["SELECT 1; SELECT 2", { got: 2 }],
    ["UPDATE t SET a = 1", { word: "UPDATE" }],
    ["EXPLAIN SELECT 1", { word: "EXPLAIN" }],
    ["SELECT $1", { hint: "name it, as in @name" }],
    ["SELECT '\0'", { where: "the sql" }],
    ["SELECT '\ud800'", { where: "the sql" }],
  ];
  for (const [sql, facts] of wrong) assert.throws(() => parse(sql), failsWith("SOURCE_FAILED", facts), sql);
});
