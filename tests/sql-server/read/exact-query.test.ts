import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, parse } from "@polyglot-sql/sdk";
import { exactQuery } from "../../../src/sql-server/read/exact-query.ts";
import type { StatementParameter } from "../../../src/sql-server/parameters.ts";
import { shapeOf } from "../../../src/sql-server/read/result-shape.ts";

const text = "WITH c AS (SELECT 1 AS a) SELECT a FROM c WHERE a > @from ORDER BY a -- the end";
const from: StatementParameter = { name: "from", declaration: "int", sentAs: "int", value: 1 };

function columns(...types: readonly (readonly [name: string, type: string, collation?: string])[]) {
  const described = types.map(([name, system_type_name, collation_name]) => ({
    name,
    system_type_name,
    max_length: 20,
    precision: 38,
    scale: 2,
    collation_name,
  }));
  return shapeOf(described, {}, "the sql", (problem) => new Error(problem));
}

test("a query of which the driver loses nothing is sent as it is", () => {
  const query = { text, parameters: [from] };
  assert.deepEqual(exactQuery(query, columns(["a", "int"], ["b", "nvarchar(10)"], ["c", "datetime2(7)"])), query);
});

test("where a column would be rounded the server runs the text unchanged and converts that column", () => {
  const { text: sent, parameters } = exactQuery(
    { text, parameters: [from] },
    columns(
      ["odd]name", "decimal(38,2)"],
      ["b", "varchar(10)", "Czech_CI_AS"],
      ["at", "datetimeoffset(7)"],
      ["v", "timestamp"],
    ),
  );
  assert.equal(
    sent,
    "EXECUTE sys.sp_executesql @llm_etl_statement_0, @llm_etl_declarations_0, @from = @from WITH RESULT SETS " +
      "(([odd]]name] nvarchar(41) NULL, [b] varchar(10) COLLATE Czech_CI_AS NULL, [at] nvarchar(34) NULL, [v] binary(8) NULL));",
  );
  assert.deepEqual(
    parameters.map(({ name, value }) => [name, value]),
    [
      ["llm_etl_statement_0", text],
      ["llm_etl_declarations_0", "@from int"],
      ["from", 1],
    ],
  );
});

test("money is made a decimal first, then text: by itself it would be text of two decimals", () => {
  const { text: sent, parameters } = exactQuery(
    { text: "SELECT m, d FROM t", parameters: [] },
    columns(["m", "money"], ["d", "decimal(38,2)"]),
  );
  assert.equal(
    sent,
    "EXECUTE sys.sp_executesql @llm_etl_statement_1, @llm_etl_declarations_1, @llm_etl_statement_0 = @llm_etl_statement_0 " +
      "WITH RESULT SETS (([m] nvarchar(41) NULL, [d] nvarchar(41) NULL));",
  );
  assert.deepEqual(
    parameters.map(({ name, value }) => [name, value]),
    [
      [
        "llm_etl_statement_1",
        "EXECUTE sys.sp_executesql @llm_etl_statement_0 WITH RESULT SETS (([m] decimal(19,4) NULL, [d] nvarchar(41) NULL));",
      ],
      ["llm_etl_declarations_1", "@llm_etl_statement_0 nvarchar(max)"],
      ["llm_etl_statement_0", "SELECT m, d FROM t"],
    ],
  );
});

test("a parameter that the driver would round is sent as text and declared as what it is", () => {
  const big: StatementParameter = { name: "n", declaration: "decimal(38,0)", sentAs: "nvarchar(50)", value: "1" };
  const { text: sent, parameters } = exactQuery({ text: "SELECT @n AS n", parameters: [big] }, columns(["n", "int"]));
  assert.equal(sent, "EXECUTE sys.sp_executesql @llm_etl_statement_0, @llm_etl_declarations_0, @n = @n;");
  assert.deepEqual(
    parameters.map(({ name, declaration, value }) => [name, declaration, value]),
    [
      ["llm_etl_statement_0", "nvarchar(max)", "SELECT @n AS n"],
      ["llm_etl_declarations_0", "nvarchar(max)", "@n decimal(38,0)"],
      ["n", "nvarchar(50)", "1"],
    ],
  );
});

test("what is older than result sets is declared as the type that holds the same", () => {
  const { text: sent } = exactQuery(
    { text: "SELECT * FROM t", parameters: [] },
    columns(["d", "decimal(38,2)"], ["t", "text", "Latin1_General_CI_AS"], ["n", "ntext"], ["i", "image"]),
  );
  assert.match(
    sent,
    /\[t\] varchar\(max\) COLLATE Latin1_General_CI_AS NULL, \[n\] nvarchar\(max\) NULL, \[i\] varbinary\(max\) NULL/,
  );
});

test("what is sent is T-SQL to a parser that is not ours, and spoiled it is not", () => {
  const { text: sent } = exactQuery(
    { text, parameters: [from] },
    columns(["odd]name [x", "decimal(38,2)"], ["m", "money"]),
  );
  assert.equal(parse(sent, Dialect.TSQL).success, true);
  assert.equal(parse(sent.replace(", @", ",, @"), Dialect.TSQL).success, false);
  assert.equal(parse(sent.replace("EXECUTE", "EXECUTE EXECUTE"), Dialect.TSQL).success, false);
});
