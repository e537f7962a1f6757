// Full lane: PostgreSQL is a process.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PostgreSQLSink } from "../../src/sinks/postgresql.ts";
import { extractedColumns, extraction, goodAnswer, tableFor } from "../support/extraction.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";

const database = testDatabase();
const sinkOf = () =>
  new PostgreSQLSink({
    connectionString: database.url(),
    targetTable: "prescriptions",
    mergeKeys: ["id"],
    columnMap: extractedColumns,
  });

test(
  "objects and arrays, dates, and numbers with their units are found and written to PostgreSQL",
  { skip: noPostgreSQL },
  async () => {
    const columns = ["patient jsonb, drugs jsonb", "patient json, drugs text"].map(
      (types) =>
        `CREATE TABLE prescriptions (id text PRIMARY KEY, ${types}, name varchar(20), written date, next_visit timestamptz, dose numeric(9,3), unit text)`,
    );
    for (const create of [...columns, tableFor(sinkOf())]) {
      await database.run(`DROP TABLE IF EXISTS prescriptions; ${create}`);
      const { report } = await extraction(sinkOf(), [{ ...goodAnswer, written: "30.11.2026" }, goodAnswer]);
      assert.deepEqual([report.successCount, report.usage.reAsks], [1, 1], JSON.stringify(report.failuresByCode));
      const [row] = await database.run(
        `SELECT patient::jsonb ->> 'name' AS name, jsonb_array_length(drugs::jsonb) AS drugs, written::text AS written,
          next_visit = '2026-12-07T08:30:00Z' AS is_then, dose::float8 AS dose, unit FROM prescriptions`,
      );
      const expected = { name: "Jane", drugs: 2, written: "2026-11-30", is_then: true, dose: 2.5, unit: "mg" };
      assert.deepEqual({ ...row }, expected);
    }
  },
);
