/** Parquet → classify (mock) → Parquet; the memory of the process on its way. */
import { Pipeline, ClassifierStep } from "llm-etl";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { ParquetSink } from "llm-etl/sinks/parquet";
import { DuckDBSource } from "llm-etl/sources/duckdb";
import { z } from "zod";

export interface ParquetJob {
  /** A pattern of files, as SQL has it in quotes. */
  readonly from: string;
  readonly to: string;
  /** So often the memory is looked at, in rows. */
  readonly sampleEvery: number;
}

export interface ParquetOutcome {
  readonly written: number;
  /** RSS after each `sampleEvery` rows, in MiB. */
  readonly samplesMiB: readonly number[];
}

const Note = z.object({ id: z.number(), note: z.string(), amount: z.string(), noted_at: z.string() });

export async function run({ from, to, sampleEvery }: ParquetJob): Promise<ParquetOutcome> {
  const samplesMiB: number[] = [];
  let ended = 0;
  const report = await new Pipeline({
    name: "parquet_benchmark",
    source: new DuckDBSource({ sql: `SELECT * FROM ${from}`, primaryKeyColumn: "id", schema: Note }),
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLog: "off",
    concurrency: 64,
  })
    .step(
      new ClassifierStep({
        name: "topic",
        taxonomy: [
          { name: "pain", definition: "It is about pain" },
          { name: "other", definition: "Anything else" },
        ],
        inputMap: { text: (s) => s.raw.note },
        outputKey: "topic",
      }),
    )
    .to(
      new ParquetSink({
        filePath: to,
        columnMap: {
          id: (s) => s.raw.id,
          note: (s) => s.raw.note,
          amount: (s) => s.raw.amount,
          noted_at: (s) => s.raw.noted_at,
          topic: (s) => s.processed.topic.category,
          confidence: (s) => s.processed.topic.confidence,
        },
        columnTypes: {
          id: "BIGINT",
          note: "VARCHAR",
          amount: "DECIMAL(18,2)",
          noted_at: "TIMESTAMP",
          topic: "VARCHAR",
          confidence: "DOUBLE",
        },
      }),
    )
    .run({
      onEvent: (event) => {
        if (event.type !== "row-end") return;
        ended += 1;
        if (ended % sampleEvery === 0) samplesMiB.push(process.memoryUsage.rss() / 2 ** 20);
      },
    });
  if (report.error !== null) throw new Error(JSON.stringify(report.error));
  return { written: report.successCount, samplesMiB };
}
