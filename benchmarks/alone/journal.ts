/** SQLite → classify → summarize (mock, no latency) → SQLite, in a folder that has the notes and the target. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Pipeline } from "llm-etl";
import { PostgreSQLJournal } from "llm-etl/journals/postgresql";
import { SQLiteJournal } from "llm-etl/journals/sqlite";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { SQLiteSink } from "llm-etl/sinks/sqlite";
import { SQLiteSource } from "llm-etl/sources/sqlite";
import { type Note, noteOf } from "../workload/notes.ts";
import { classifier, summarizer } from "../workload/steps.ts";

export interface JournalJob {
  readonly folder: string;
  /** The path of a file, or the connection string of a PostgreSQL database, which has the tables. Undefined for a run without one. */
  readonly journal?: string;
}

export interface JournalOutcome {
  readonly written: number;
  readonly unchanged: number;
  readonly calls: number;
}

export async function run({ folder, journal }: JournalJob): Promise<JournalOutcome> {
  const databasePath = join(folder, "notes.db");
  const report = await new Pipeline({
    name: "journal_benchmark",
    source: new SQLiteSource<Note>({ databasePath, sql: "SELECT id, note FROM notes", primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    concurrency: 64,
    payloadLog: "off",
    journal: journal === undefined ? "off" : journalAt(journal),
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

export function journalAt(place: string): SQLiteJournal | PostgreSQLJournal {
  if (!place.startsWith("postgresql:")) return new SQLiteJournal({ path: place });
  return new PostgreSQLJournal({ connectionString: place });
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
