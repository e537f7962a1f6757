import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Dispatcher } from "undici";
import { z } from "zod";
import {
  ClassifierStep,
  ExtractorStep,
  type GlobalState,
  type LLMProvider,
  Pipeline,
  type RunnablePipeline,
  SummarizerStep,
} from "../../src/index.ts";
import { AzureOpenAIProvider } from "../../src/llm/providers/azure-openai.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";

/** The journals of version 0.1, by the name of their folder in `journal-0.1/`. */
export type JournalName = "all-written-mock" | "all-written-azure" | "some-failed";

/** The pipeline's folder holds `journal.db`, `data.db` with source and target, and `dead-letter.jsonl`. */
export interface PipelineFiles {
  readonly folder: string;
  /** @default "data.db" */
  readonly target?: string;
  readonly llmProvider: LLMProvider;
}

interface Note {
  readonly id: string;
  readonly note: string;
  readonly channel: string | null;
}

type NoteState = GlobalState<Note>;

const note = (s: NoteState): string => s.raw.note;
const channel = (s: NoteState): string | null => s.raw.channel;
const taxonomy = [
  { name: "Card", definition: "A card that was lost, stolen or swallowed", examples: ["The machine kept my card"] },
  { name: "Transfer", definition: "Money that was sent, or did not arrive" },
  { name: "Überziehung", definition: "An account that is overdrawn" },
];

const kind = new ClassifierStep({
  name: "kind",
  taxonomy,
  inputMap: { text: note, context: channel },
  instructions: "Notes are in English or German.",
  outputKey: "kind",
});

const facts = new ExtractorStep({
  name: "facts",
  schema: z.object({
    city: z.string().max(20).nullable().describe("Where it happened"),
    amount: z.number().min(0).max(5000).optional(),
    day: z.iso.date().optional(),
    people: z.array(z.object({ name: z.string(), isStaff: z.boolean() })).max(3),
  }),
  inputMap: { text: note },
  maxOutputTokens: 200,
  outputKey: "facts",
});

const summary = new SummarizerStep({
  name: "summary",
  inputMap: {
    text: note,
    focus: (s: GlobalState<Note, { readonly kind: { readonly category: string } }>) => s.processed.kind.category,
  },
  maxCharacters: 120,
  maxSentences: 2,
  outputKey: "summary",
});

/** The columns of the target; `summary` holds less than the step allows. */
const columns = `id TEXT PRIMARY KEY, kind TEXT NOT NULL, confidence REAL, summary VARCHAR(60), city TEXT, amount REAL,
  people TEXT, models TEXT, prompt_hash TEXT, tokens INTEGER, calls INTEGER, run_id TEXT, started_at TEXT, completed_at TEXT`;

/** The pipeline whose every row goes through. */
export function allWritten({ folder, target = "data.db", llmProvider }: PipelineFiles): RunnablePipeline {
  return new Pipeline<Note>({
    name: "golden",
    source: notesIn(folder),
    llmProvider,
    concurrency: 4,
    batchSize: 16,
    payloadLog: "off",
    journalPath: join(folder, "journal.db"),
  })
    .step(kind)
    .step(facts)
    .step(summary)
    .to(
      new SQLiteSink({
        databasePath: join(folder, target),
        targetTable: "enriched",
        mergeKeys: ["id"],
        columnMap: {
          id: (s) => s.pk,
          kind: (s) => s.processed.kind.category,
          confidence: (s) => s.processed.kind.confidence,
          summary: (s) => s.processed.summary.text,
          city: (s) => s.processed.facts.city,
          amount: (s) => s.processed.facts.amount,
          people: (s) => JSON.stringify(s.processed.facts.people),
          models: (s) => s.lineage.kind?.model,
          prompt_hash: (s) => s.lineage.facts?.promptHash,
          tokens: (s) => s.lineage.summary?.inputTokens,
          calls: (s) => s.lineage.facts?.calls,
          run_id: (s) => s.run.id,
          started_at: (s) => s.startedAt,
          completed_at: (s) => s.completedAt,
        },
      }),
    );
}

/** The pipeline of which some rows fail, into the dead letter file. */
export function someFailed({ folder, llmProvider }: PipelineFiles): RunnablePipeline {
  return new Pipeline<Note>({
    name: "golden failures",
    source: notesIn(folder),
    llmProvider,
    concurrency: 1,
    payloadLog: "off",
    journalPath: join(folder, "journal.db"),
    onRowError: "dead_letter",
    deadLetterPath: join(folder, "dead-letter.jsonl"),
  })
    .step(kind)
    .step(summary)
    .to(
      new SQLiteSink({
        databasePath: join(folder, "data.db"),
        targetTable: "enriched",
        mergeKeys: ["id"],
        columnMap: {
          id: (s) => s.pk,
          kind: (s) => s.processed.kind.category,
          summary: (s) => s.processed.summary.text,
        },
      }),
    );
}

function notesIn(folder: string): SQLiteSource<Note> {
  return new SQLiteSource<Note>({
    databasePath: join(folder, "data.db"),
    sql: "SELECT id, note, channel FROM notes ORDER BY id",
    primaryKeyColumn: "id",
  });
}

export function createTarget(path: string): void {
  const database = new DatabaseSync(path);
  database.exec(`CREATE TABLE enriched (${columns})`);
  database.close();
}

export function rowsOf(path: string): readonly Readonly<Record<string, unknown>>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare("SELECT * FROM enriched ORDER BY id").all();
  } finally {
    database.close();
  }
}

export function azureProvider(dispatcher: Dispatcher): AzureOpenAIProvider {
  const endpoint = "https://golden.openai.azure.com";
  return new AzureOpenAIProvider({ endpoint, deployment: "gpt-golden", apiKey: "golden-key", dispatcher });
}

/**
 * Journals name their sink by a hash of its identity, which is an absolute path: those that are committed have one of no
 * machine. This is the identity as version 0.1 makes it: one that is made otherwise no longer finds what was written.
 */
export function moveSink(journalPath: string, fromFolder: string, toFolder: string): void {
  const keyIn = (folder: string): Buffer => {
    const identity =
      folder === committedFolder ? `${folder}/data.db/enriched` : `${resolve(folder, "data.db")}/enriched`;
    return createHash("sha256").update(identity).digest().subarray(0, 16);
  };
  const database = new DatabaseSync(journalPath);
  const { changes } = database
    .prepare("UPDATE rows SET sink = ? WHERE sink = ?")
    .run(keyIn(toFolder), keyIn(fromFolder));
  database.close();
  if (changes === 0) throw new Error(`${journalPath} has no rows of a sink in ${fromFolder}`);
}

/** The folder in which the files of a committed journal pretend to be. */
export const committedFolder = "/golden";
