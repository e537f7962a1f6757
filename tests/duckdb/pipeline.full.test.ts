// Full lane: seconds of CPU.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { ClassifierStep, Pipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { ParquetSink } from "../../src/sinks/parquet.ts";
import { DuckDBSource } from "../../src/sources/duckdb.ts";
import { quoted, rowsOf, writeParquet } from "../support/duckdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const rowCount = 20_000;

test("20,000 rows of Parquet files are classified into one Parquet file, each once", async () => {
  for (const part of [0, 1]) {
    const query = `SELECT range AS id, 'note ' || range AS note, CAST(range AS DECIMAL(18,2)) / 4 AS amount FROM range(${(part * rowCount) / 2}, ${((part + 1) * rowCount) / 2})`;
    await writeParquet(join(folder, `notes ${part}.parquet`), query);
  }
  const filePath = join(folder, "classified", "rows.parquet");
  const report = await new Pipeline({
    name: "parquet",
    concurrency: 64,
    source: new DuckDBSource({
      sql: `SELECT id, note, CAST(amount AS DECIMAL(18,2)) AS amount FROM ${quoted(join(folder, "notes *.parquet"))}`,
      primaryKeyColumn: "id",
      schema: z.object({ id: z.number(), note: z.string(), amount: z.string() }),
    }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: [
          { name: "even", definition: "The number is even" },
          { name: "odd", definition: "The number is odd" },
        ],
        inputMap: { text: (s) => s.raw.note },
        outputKey: "kind",
      }),
    )
    .to(
      new ParquetSink({
        filePath,
        columnMap: {
          id: (s) => s.raw.id,
          amount: (s) => s.raw.amount,
          kind: (s) => s.processed.kind.category,
          confidence: (s) => s.processed.kind.confidence,
          at: (s) => s.completedAt,
        },
        columnTypes: {
          id: "BIGINT",
          amount: "DECIMAL(18,2)",
          kind: "VARCHAR",
          confidence: "DOUBLE",
          at: "TIMESTAMPTZ",
        },
      }),
    )
    .run();
  assert.equal(report.successCount, rowCount, JSON.stringify(report.error));
  const rows = await rowsOf(
    `SELECT count(*) AS id, count(DISTINCT id) AS ids, min(id) AS first, max(id) AS last, sum(amount) AS amounts, count(kind) AS kinds FROM ${quoted(filePath)}`,
  );
  const amounts = (BigInt(rowCount) * BigInt(rowCount - 1) * 25n) / 2n;
  assert.deepEqual(rows, [
    {
      id: rowCount,
      ids: rowCount,
      first: 0,
      last: rowCount - 1,
      amounts: String(amounts).replace(/(\d\d)$/, ".$1"),
      kinds: rowCount,
    },
  ]);
});
