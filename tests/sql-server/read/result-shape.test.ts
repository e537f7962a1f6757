import assert from "node:assert/strict";
import { test } from "node:test";
import { type DescribedColumn, shapeOf } from "../../../src/sql-server/read/result-shape.ts";

const fail = (problem: string): Error => new Error(problem);

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

test("columns that can't become a row are refused before the first row", () => {
  const refusals: readonly (readonly [readonly DescribedColumn[], RegExp])[] = [
    [[], /the sql is not a query: it has no result columns/],
    [
      [column("a", "int"), column(null, "int"), column("", "int")],
      /result columns without a name \(number 2, 3\); name each with AS/,
    ],
    [[column(null, "int")], /a result column without a name \(number 1\)/],
    [
      [column("a", "int"), column("b", "int"), column("a", "int")],
      /more than one result column "a"; rename one with AS/,
    ],
    [
      [column("v", "sql_variant"), column("place", null, { user_type_name: "geography" })],
      /types without a JavaScript value: "v" \(sql_variant\), "place" \(geography\); .* CONVERT\(nvarchar\(4000\), v\) AS v/,
    ],
    [[column("place", null, { user_type_name: "geometry" })], /convert it: place\.STAsText\(\) AS place/],
    [[column("x", null)], /"x" \(unknown\)/],
    [[column("e", "vector(3)")], /"e" \(vector\)/],
  ];
  for (const [columns, message] of refusals) assert.throws(() => shape(columns), message);
});

test("a column that an option names must be there, in its letter case", () => {
  const columns = [column("Id", "int"), column("note", "int")];
  assert.throws(
    () => shape(columns, { primaryKeyColumn: "id" }),
    /the primaryKeyColumn "id" is not a result column of the sql; its columns are "Id", "note"; did you mean "Id"\?/,
  );
  assert.throws(
    () => shape(columns, { primaryKeyColumn: "Id", "paging.keyColumn": "seq" }),
    /the paging\.keyColumn "seq" is not/,
  );
});
