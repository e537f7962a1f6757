import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Pipeline } from "../../src/builder/pipeline.ts";
import type { PipelineOptions } from "../../src/pipeline/options.ts";
import type { RunReport } from "../../src/contracts/report.ts";
import type { GlobalState } from "../../src/engine/state.ts";
import type { LLMProvider } from "../../src/contracts/provider.ts";
import type { Step } from "../../src/contracts/step.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";

export interface Note {
  readonly id: string;
  readonly text: string | null;
}

const Line = z.record(z.string(), z.unknown());
export type Line = z.output<typeof Line>;

export interface NotesRun {
  readonly report: RunReport;
  readonly outputs: readonly unknown[];
  /** The outputs by primary key. */
  readonly outputOf: ReadonlyMap<unknown, unknown>;
  readonly payloads: readonly Line[];
  readonly deadLetters: readonly Line[];
}

/** Runs notes through one step, one at a time, and reads the files that the run left in the folder. */
export async function runNotes<Out>(given: {
  folder: string;
  notes: readonly Note[];
  provider: LLMProvider;
  step: Step<GlobalState<Note>, "out", Out>;
  options?: Partial<PipelineOptions<Note>>;
}): Promise<NotesRun> {
  const deadLetterPath = join(given.folder, "failed.jsonl");
  const payloadLogPath = join(given.folder, "payloads.jsonl");
  type Finished = GlobalState<Note> & { readonly processed: { readonly out: Out } };
  const sink = new MemorySink({ columnMap: { pk: (s: Finished) => s.pk, out: (s: Finished) => s.processed.out } });
  const report = await new Pipeline<Note>({
    name: "notes",
    source: new MemorySource<Note>({ rows: given.notes, primaryKeyColumn: "id" }),
    llmProvider: given.provider,
    concurrency: 1,
    ...{ onRowError: "dead_letter", deadLetterPath, payloadLogPath, journal: "off" as const },
    ...given.options,
  })
    .step(given.step)
    .to(sink)
    .run();
  const outputs = sink.rows.map(({ out }) => out);
  const outputOf = new Map(sink.rows.map(({ pk, out }) => [pk, out]));
  return { report, outputs, outputOf, payloads: readLines(payloadLogPath), deadLetters: readLines(deadLetterPath) };
}

/** The JSON objects of a file, one a line. */
export function readLines(path: string): Line[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => Line.parse(JSON.parse(line)));
}
