import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { SourceError } from "../../../src/errors/source.ts";
import { type DescribedColumn, shapeOf } from "../../../src/sql-server/read/result-shape.ts";
import { failsWith } from "../../support/error-facts.ts";
import { sourceFail as fail } from "../../support/sql-server-errors.ts";

const column = (name: string | null, system_type_name: string | null, rest: DescribedColumn = {}): DescribedColumn => ({
  is_hidden: false,
  name,
  system_type_name,
  max_length: 4,
  precision: 10,
  scale: 0,
  collation_name: null,
  user_type_name: null,
  ...rest,
});

const shape = (columns: readonly DescribedColumn[], required: Readonly<Record<string, string>> = {}) =>
  shapeOf(columns, required, "the sql", fail);

test("columns have their name, type and collation", () => {
  const [id, note, total] = shape([
    column("id", "int"),
    column("note", "nvarchar(100)", { max_length: 200, precision: 0, collation_name: "Latin1_General_CI_AS" }),
    column("total", "decimal(38,10)", { max_length: 17, precision: 38, scale: 10 }),
    column("hidden", "int", { is_hidden: true }),
  ]);
  assert.deepEqual(id?.type, { name: "int", declaration: "int", precision: 10, scale: 0, length: 4 });
  assert.equal(id?.collation, undefined);
  assert.deepEqual(note?.type, { name: "nvarchar", declaration: "nvarchar(100)", precision: 0, scale: 0, length: 100 });
  assert.equal(note?.collation, "Latin1_General_CI_AS");
  assert.deepEqual(total?.reading.conversions, ["nvarchar(41)"]);
});

test("MAX has the length -1 in characters, too", () => {
  const [text] = shape([column("t", "nvarchar(max)", { max_length: -1 })]);
  assert.equal(text?.type.length, -1);
});

test("columns that can't become a row are rejected before the first row", () => {
  const rejected: readonly (readonly [readonly DescribedColumn[], ErrorFacts])[] = [
    [[], { columns: [] }],
    [[column("a", "int"), column(null, "int"), column("", "int")], { columns: [2, 3] }],
    [[column(null, "int")], { columns: [1] }],
    [[column("a", "int"), column("b", "int"), column("a", "int")], { columns: ["a"] }],
    [
      [column("v", "sql_variant"), column("place", null, { user_type_name: "geography" })],
      { columns: ["v", "place"], types: ["sql_variant", "geography"] },
    ],
    [[column("x", null)], { columns: ["x"], types: ["unknown"] }],
    [[column("e", "vector(3)")], { columns: ["e"], types: ["vector"] }],
  ];
  for (const [columns, facts] of rejected) {
    assert.throws(() => shape(columns), failsWith("SOURCE_FAILED", { where: "the sql", ...facts }));
  }
});

test("a column of a type without a JavaScript value is rejected with an expression to read it by", () => {
  const expressions: readonly (readonly [DescribedColumn, string])[] = [
    [column("v", "sql_variant"), "CONVERT(nvarchar(4000), v) AS v"],
    [column("place", null, { user_type_name: "geometry" }), "place.STAsText() AS place"],
  ];
  for (const [described, expression] of expressions) {
    assert.throws(
      () => shape([described]),
      (error: unknown) => error instanceof SourceError && error.facts.hint?.endsWith(expression) === true,
    );
  }
});

test("a column that an option names must be there, in its letter case", () => {
  const columns = [column("Id", "int"), column("note", "int")];
  assert.throws(
    () => shape(columns, { primaryKeyColumn: "id" }),
    failsWith("SOURCE_FAILED", { column: "id", columns: ["Id", "note"], nearest: "Id" }),
  );
  assert.throws(
    () => shape(columns, { primaryKeyColumn: "Id", "paging.keyColumn": "seq" }),
    failsWith("SOURCE_FAILED", { column: "seq" }),
  );
});
