/** llm-etl as it is meant to be used: everything not named here is a default. */
import { join } from "node:path";
import { Pipeline } from "llm-etl";
import { SQLiteJournal } from "llm-etl/journals/sqlite";
import { AzureOpenAIProvider } from "llm-etl/llm/providers/azure-openai";
import { CSVSink } from "llm-etl/sinks/csv";
import { CSVSource } from "llm-etl/sources/csv";
import { classifier, summarizer } from "../workload/steps.ts";
import type { Job, Outcome } from "./tool.ts";

export async function run(job: Job): Promise<Outcome> {
  const { endpoint, deployment, input, output, folder, concurrency, pipeline } = job;
  const report = await new Pipeline({
    name: "benchmark",
    source: new CSVSource<{ id: string; note: string }>({ filePath: input, primaryKeyColumn: "id" }),
    llmProvider: new AzureOpenAIProvider({ endpoint, deployment, apiKey: "key", rpm: pipeline.rpm }),
    onRowError: "skip",
    concurrency,
    ...(pipeline.records
      ? {
          journal: new SQLiteJournal({ path: join(folder, "journal.db") }),
          payloadLogPath: join(folder, "payloads.jsonl"),
        }
      : { journal: "off", payloadLog: "off" }),
  })
    .step(classifier)
    .step(summarizer)
    .to(
      new CSVSink({
        filePath: output,
        columnMap: {
          id: (s) => s.pk,
          category: (s) => s.processed.visit.category,
          confidence: (s) => s.processed.visit.confidence,
          summary: (s) => s.processed.summary.text,
        },
      }),
    )
    .run();
  if (report.error !== null) throw report.error;
  const errors = Object.entries(report.failuresByCode).map(([code, count]) => `${count} × ${code}`);
  return { failed: report.skippedCount, errors };
}
