import { z } from "zod";
import { ClassifierStep, ExtractorStep, Pipeline, type SinkState, TransformStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";

const Visit = z.object({
  id: z.int(),
  note: z.string(),
  code: z.string().max(12).nullable(),
  seen: z.date(),
  size: z.bigint(),
  anything: z.unknown(),
});

const Findings = z.object({
  share: z.number().min(0).max(1),
  weight: z.number().min(0),
  visits: z.int().min(0).max(1000),
  urgent: z.boolean(),
  due: z.iso.date().nullable(),
  title: z.string().max(80),
  tags: z.array(z.string()),
});

/** A pipeline whose columns can be of every type that there is; its steps ask the mock. */
export const everyColumn = new Pipeline({
  name: "every column",
  source: new MemorySource<z.output<typeof Visit>>({
    rows: [1, 2, 3].map((id) => ({
      id,
      note: `Note ${id}: chest pain since Monday.`,
      code: id === 1 ? null : `c${id}`,
      seen: new Date(Date.UTC(2025, 0, id)),
      size: 2n ** 40n,
      anything: "x",
    })),
    primaryKeyColumn: "id",
    schema: Visit,
  }),
  llmProvider: new MockProvider(),
  journal: "off",
  payloadLog: "off",
})
  .step(
    new ClassifierStep({
      name: "classify",
      taxonomy: [
        { name: "Emergency", definition: "urgent" },
        { name: "A name of more than fifty characters, as taxonomies have them", definition: "all else" },
      ],
      inputMap: { text: (s) => s.raw.note },
      outputKey: "kind",
    }),
  )
  .step(
    new ExtractorStep({ name: "find", schema: Findings, inputMap: { text: (s) => s.raw.note }, outputKey: "found" }),
  )
  .step(new TransformStep({ name: "count", outputKey: "length", transform: (s) => s.raw.note.length }));

type State = typeof everyColumn extends Pipeline<infer Row, infer Processed> ? SinkState<Row, Processed> : never;

/** Columns of every type, but for the arrays and objects that SQLite has none for. */
export const everyColumnMap = {
  id: (s: State) => s.pk,
  code: (s: State) => s.raw.code,
  seen: (s: State) => s.raw.seen,
  size: (s: State) => s.raw.size,
  anything: (s: State) => s.raw.anything,
  category: (s: State) => s.processed.kind.category,
  confidence: (s: State) => s.processed.kind.confidence,
  share: (s: State) => s.processed.found.share,
  weight: (s: State) => s.processed.found.weight,
  visits: (s: State) => s.processed.found.visits,
  urgent: (s: State) => s.processed.found.urgent,
  due: (s: State) => s.processed.found.due,
  title: (s: State) => s.processed.found.title,
  tag_count: (s: State) => s.processed.found.tags.length,
  note_length: (s: State) => s.processed.length,
  line: (s: State) => `${s.raw.code}: ${s.processed.kind.category}`,
  run_id: (s: State) => s.run.id,
  model: (s: State) => s.lineage.kind?.model,
  prompt_hash: (s: State) => s.lineage.kind?.promptHash,
  input_tokens: (s: State) => s.lineage.found?.inputTokens,
  started_at: (s: State) => s.startedAt,
  completed_at: (s: State) => s.completedAt,
} as const;

export const tags = (s: State): readonly string[] => s.processed.found.tags;
