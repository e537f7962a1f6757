/** SQLite → classify → summarize (mock, no latency) → SQLite, in a folder that has the notes and the target. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { Pipeline } from "llm-etl";
import { SQLiteJournal } from "llm-etl/journals/sqlite";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { SQLiteSink } from "llm-etl/sinks/sqlite";
import { SQLiteSource } from "llm-etl/sources/sqlite";
import { watchedJournal } from "../../tests/support/watched-journal.ts";
import { type Note, noteOf } from "../workload/notes.ts";
import { classifier, summarizer } from "../workload/steps.ts";

export interface JournalJob {
  readonly folder: string;
  /** Undefined for a run without one. */
  readonly journalPath?: string;
  /** Added to each look-up, in milliseconds, as a journal over a network has it. @default 0 */
  readonly roundTripMs?: number;
}

export interface JournalOutcome {
  readonly written: number;
  readonly unchanged: number;
  readonly calls: number;
}

export async function run({ folder, journalPath, roundTripMs = 0 }: JournalJob): Promise<JournalOutcome> {
  const kept = journalPath === undefined ? "off" : new SQLiteJournal({ path: journalPath });
  const journal =
    kept === "off" || roundTripMs === 0 ? kept : watchedJournal(kept, async () => await setTimeout(roundTripMs));
  const databasePath = join(folder, "notes.db");
  const report = await new Pipeline({
    name: "journal_benchmark",
    source: new SQLiteSource<Note>({ databasePath, sql: "SELECT id, note FROM notes", primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    concurrency: 64,
    payloadLog: "off",
    journal,
  })
    .step(classifier)
    .step(summarizer)
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "enriched",
        mergeKeys: ["id"],
        columnMap: {
          id: (s) => s.pk,
          category: (s) => s.processed.visit.category,
          summary: (s) => s.processed.summary.text,
          processed_at: (s) => s.completedAt,
        },
      }),
    )
    .run();
  if (report.error !== null) throw report.error;
  return { written: report.successCount, unchanged: report.unchangedCount, calls: report.usage.calls };
}

/** The notes, and an empty target. */
export function createTables(folder: string, rows: number): void {
  const database = new DatabaseSync(join(folder, "notes.db"));
  database.exec(`
    CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT);
    CREATE TABLE enriched (id TEXT PRIMARY KEY, category TEXT, summary TEXT, processed_at TEXT);
    BEGIN`);
  const insert = database.prepare("INSERT INTO notes VALUES (?, ?)");
  for (let number = 1; number <= rows; number += 1) {
    const { id, note } = noteOf(number);
    insert.run(id, note);
  }
  database.exec("COMMIT");
  database.close();
}
