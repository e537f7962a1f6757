import assert from "node:assert/strict";
import { test } from "node:test";
import { existsText, insertedRows, upsert, upsertText } from "../../../src/sql-server/write/upsert.ts";
import { targetColumn, targetOf } from "../../support/target.ts";

const staged =
  "(SELECT [r], CAST([c0] AS VARCHAR(8000)) AS [c0], [c1] AS [c1], CAST([c2] AS DECIMAL(5,2)) AS [c2] FROM #llm_etl_stage)";
const stagedKeys = "(SELECT [r], CAST([c0] AS VARCHAR(8000)) AS [c0] FROM #llm_etl_stage)";

test("merge updates what is not a key and inserts what is missing, under HOLDLOCK", () => {
  assert.deepEqual(upsert(targetOf("merge")).write, [
    `MERGE INTO [dbo].[t] WITH (HOLDLOCK) AS t USING ${staged} AS s ON t.[id] = s.[c0]
WHEN MATCHED THEN UPDATE SET [note] = s.[c1], [score] = s.[c2]
WHEN NOT MATCHED BY TARGET THEN INSERT ([id], [note], [score]) VALUES (s.[c0], s.[c1], s.[c2]);`,
  ]);
});

test("update_insert does the same in two statements that keep the range of keys", () => {
  assert.deepEqual(upsert(targetOf("update_insert")).write, [
    `UPDATE t SET [note] = s.[c1], [score] = s.[c2] FROM ${staged} AS s INNER JOIN [dbo].[t] AS t WITH (UPDLOCK, SERIALIZABLE) ON t.[id] = s.[c0];`,
    `INSERT INTO [dbo].[t] ([id], [note], [score]) SELECT s.[c0], s.[c1], s.[c2] FROM ${staged} AS s WHERE NOT EXISTS (SELECT 1 FROM [dbo].[t] AS t WITH (UPDLOCK, SERIALIZABLE) WHERE t.[id] = s.[c0]);`,
  ]);
});

test("update changes what is there, and insert adds in the order of the batch", () => {
  assert.deepEqual(upsert(targetOf("update")).write, [
    `UPDATE t SET [note] = s.[c1], [score] = s.[c2] FROM ${staged} AS s INNER JOIN [dbo].[t] AS t ON t.[id] = s.[c0];`,
  ]);
  const insert = upsert(targetOf("insert"));
  assert.deepEqual(insert.write, [
    `INSERT INTO [dbo].[t] ([id], [note], [score]) SELECT s.[c0], s.[c1], s.[c2] FROM ${staged} AS s ORDER BY s.[r];`,
  ]);
  assert.deepEqual(insert.checks, [], "rows that are only added have no key");
  assert.equal(insert.outcome, "SELECT @@ROWCOUNT AS [llm_etl_count];");
});

test("a key that is all there is stays as it is", () => {
  const columns = [targetColumn("id", 0)];
  assert.doesNotMatch(upsert(targetOf("merge", { columns })).write.join(), /UPDATE/);
  assert.equal(upsert(targetOf("update_insert", { columns })).write.length, 1);
});

test("rows with one key are looked for before, and the stored keys after the write", () => {
  const { checks, outcome } = upsert(targetOf("merge"));
  assert.deepEqual(checks, [
    `SELECT MAX(s.[r]) AS [llm_etl_twice] FROM ${stagedKeys} AS s GROUP BY s.[c0] HAVING COUNT(*) > 1;`,
  ]);
  assert.equal(
    outcome,
    `SELECT s.[r] AS [llm_etl_row], CAST(t.[id] AS NVARCHAR(4000)) AS [k0] FROM ${stagedKeys} AS s INNER JOIN [dbo].[t] AS t ON t.[id] = s.[c0];`,
  );
  assert.equal(insertedRows(targetOf("insert")), outcome);
});

test("text for a code page that is not known here is compared with what comes back from it", () => {
  const columns = [targetColumn("id", 0), targetColumn("old", 1, { type: "varchar", length: 9, codePage: 850 })];
  assert.equal(
    upsert(targetOf("merge", { columns })).checks[0],
    "SELECT [r] AS [llm_etl_lossy], 1 AS [column] FROM #llm_etl_stage WHERE CAST(CAST([c1] AS VARCHAR(MAX)) AS NVARCHAR(MAX)) COLLATE Latin1_General_BIN2 <> [c1];",
  );
});

test("all is one text: the settings, then each check, and the write only where none has found a row", () => {
  const text = upsertText({
    settings: ["SET X ON;"],
    checks: ["CHECK 1;", "CHECK 2;"],
    write: ["WRITE;"],
    outcome: "OUTCOME;",
  });
  assert.equal(
    text.replaceAll("\n", " "),
    "SET X ON; CHECK 1; IF @@ROWCOUNT = 0 BEGIN CHECK 2; IF @@ROWCOUNT = 0 BEGIN " +
      "IF EXISTS (SELECT 1 FROM #llm_etl_stage) BEGIN WRITE; OUTCOME; END END END",
  );
});

test("the settings are those that indexed views and filtered indexes ask for", () => {
  const { settings } = upsert(targetOf("merge"));
  for (const option of [
    "ANSI_NULLS",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "CONCAT_NULL_YIELDS_NULL",
    "QUOTED_IDENTIFIER",
  ])
    assert.ok(settings.includes(`SET ${option} ON;`), option);
  assert.ok(settings.includes("SET NUMERIC_ROUNDABORT OFF;"));
  assert.ok(settings.includes("SET XACT_ABORT ON;"));
});

test("a row is asked for by its keys as parameters, or any row", () => {
  const target = targetOf("merge");
  assert.equal(
    existsText(target, target.keys),
    "SELECT TOP (1) 1 AS [found] FROM [dbo].[t] AS t WHERE t.[id] = CAST(@k0 COLLATE Latin1_General_CI_AS AS VARCHAR(8000));",
  );
  assert.equal(existsText(target, []), "SELECT TOP (1) 1 AS [found] FROM [dbo].[t] AS t;");
});

test("a statement waits for the locks of others for 30 seconds, and no longer than the sink may", () => {
  const lockTimeout = (patienceMs?: number): string | undefined =>
    upsert(targetOf("merge"), patienceMs).settings.find((setting) => setting.startsWith("SET LOCK_TIMEOUT"));
  assert.equal(lockTimeout(), "SET LOCK_TIMEOUT 30000;");
  assert.equal(lockTimeout(300_000), "SET LOCK_TIMEOUT 30000;");
  assert.equal(lockTimeout(5000.5), "SET LOCK_TIMEOUT 5001;");
  assert.equal(lockTimeout(0), "SET LOCK_TIMEOUT 1000;");
});
