import assert from "node:assert/strict";
import { z } from "zod";
import type { LLMRequest } from "../../src/contracts/provider.ts";
import type { Sink } from "../../src/contracts/sink.ts";
import { ExtractorStep, type GlobalState, Pipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";

const Prescription = z.object({
  patient: z.object({ name: z.string(), birthday: z.iso.date().nullable() }),
  drugs: z.array(z.object({ name: z.string(), days: z.int().nullable() })).max(5),
  written: z.iso.date(),
  next_visit: z.iso.datetime({ offset: true }).nullable(),
  dose: z.object({ value: z.number().positive(), unit: z.enum(["mg", "g", "ml"]) }),
});

interface Note {
  readonly id: string;
  readonly text: string;
}

type Found = z.output<typeof Prescription>;
type State = GlobalState<Note, { found: Found }>;

/** Columns for all that was found: an object, a field of it, a list, dates, and a number with its unit. */
export const extractedColumns = {
  id: (s: State) => s.pk,
  patient: (s: State) => s.processed.found.patient,
  name: (s: State) => s.processed.found.patient.name,
  drugs: (s: State) => s.processed.found.drugs,
  written: (s: State) => s.processed.found.written,
  next_visit: (s: State) => s.processed.found.next_visit,
  dose: (s: State) => s.processed.found.dose.value,
  unit: (s: State) => s.processed.found.dose.unit,
};

export const goodAnswer: Found = {
  patient: { name: "Jane", birthday: null },
  drugs: [
    { name: "Aspirin", days: 3 },
    { name: "Ibuprofen", days: null },
  ],
  written: "2026-11-30",
  next_visit: "2026-12-07T08:30:00Z",
  dose: { value: 2.5, unit: "mg" },
};

function pipelineInto(sink: Sink<State>, llmProvider = new MockProvider()) {
  return new Pipeline<Note>({
    name: "prescriptions",
    source: new MemorySource<Note>({
      rows: [{ id: "1", text: "Jane takes 2.5 mg of Aspirin for three days" }],
      primaryKeyColumn: "id",
      schema: z.object({ id: z.string(), text: z.string() }),
    }),
    llmProvider,
    payloadLog: "off",
    journal: "off",
  })
    .step(
      new ExtractorStep({
        name: "prescription",
        schema: Prescription,
        inputMap: { text: (s) => s.raw.text },
        outputKey: "found",
      }),
    )
    .to(sink);
}

/** Finds these fields in one note, with these answers, and writes them to a sink. */
export async function extraction(sink: Sink<State>, answers: readonly unknown[]) {
  const requests: LLMRequest[] = [];
  const left = [...answers];
  const llmProvider = new MockProvider({
    responses: (request) => {
      requests.push(request);
      return { json: { reasoning: "So.", ...(left.shift() ?? assert.fail("one call too many")) } };
    },
  });
  return { report: await pipelineInto(sink, llmProvider).run(), requests };
}

/** The statement that makes the table of the sink. */
export function tableFor(sink: Sink<State>): string {
  const target = pipelineInto(sink).describeTarget();
  return target.dialect?.createTable(target, target.targetTable ?? "") ?? assert.fail("the sink has no table");
}
