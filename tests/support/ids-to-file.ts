import { z } from "zod";
import type { Sink } from "../../src/contracts/sink.ts";
import type { RunReport } from "../../src/contracts/report.ts";
import { type GlobalState, Pipeline, type RunOptions, TransformStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";

/** The state of a row that has an id, and a list with it. */
export type ListedState = GlobalState<{ readonly id: string }, { readonly x: string[] }>;

/** Runs rows with these ids into a sink. */
export async function idsInto(
  sink: Sink<ListedState>,
  ids: readonly string[],
  options: RunOptions = {},
): Promise<RunReport> {
  const source = new MemorySource({
    rows: ids.map((id) => ({ id })),
    primaryKeyColumn: "id",
    schema: z.object({ id: z.string() }),
  });
  return await new Pipeline({
    name: "to a file",
    source,
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
  })
    .step(new TransformStep({ name: "x", outputKey: "x", transform: (s) => [s.pk] }))
    .to(sink)
    .run(options);
}

export const listedColumns = { id: (s: ListedState) => s.pk, list: (s: ListedState) => s.processed.x };
