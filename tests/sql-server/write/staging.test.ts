import assert from "node:assert/strict";
import { test } from "node:test";
import mssql from "mssql";
import { createStaging, stagedRows, stagingRows } from "../../../src/sql-server/write/staging.ts";
import { targetColumn, targetOf } from "../../support/target.ts";

const { columns } = targetOf("merge");

test("the staging table is made anew, with the columns' own types, and no name of the user's", () => {
  assert.equal(
    createStaging([...columns, targetColumn("odd]name; --", 3, { type: "bigint" })]),
    `DROP TABLE IF EXISTS #llm_etl_stage;
CREATE TABLE #llm_etl_stage ([r] INT NOT NULL, [c0] NVARCHAR(4000) COLLATE Latin1_General_CI_AS NULL, [c1] NVARCHAR(MAX) COLLATE Latin1_General_CI_AS NULL, [c2] NVARCHAR(64) NULL, [c3] BIGINT NULL);
SELECT @@TRANCOUNT AS [depth];`,
  );
});

test("rows are loaded with their place in the batch, into a table that is there", () => {
  const table = stagingRows(mssql, columns, [{ cells: ["a", null, "1.50"] }, { cells: ["b", "text", null] }]);
  assert.equal(table.create, false);
  assert.deepEqual(
    [...table.rows],
    [
      [0, "a", null, "1.50"],
      [1, "b", "text", null],
    ],
  );
  assert.deepEqual(
    Array.from(table.columns, ({ name }) => name),
    ["r", "c0", "c1", "c2"],
  );
});

test("staged rows are read in the types of the target's columns", () => {
  assert.equal(
    stagedRows(columns),
    "(SELECT [r], CAST([c0] AS VARCHAR(8000)) AS [c0], [c1] AS [c1], CAST([c2] AS DECIMAL(5,2)) AS [c2] FROM #llm_etl_stage)",
  );
});
