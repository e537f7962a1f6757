/** Rows that changed, SQLite → a plain function → SQLite, or the same in PostgreSQL; the journal is a file. */
import { Pipeline, TransformStep } from "llm-etl";
import { SQLiteJournal } from "llm-etl/journals/sqlite";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { PostgreSQLSink } from "llm-etl/sinks/postgresql";
import { SQLiteSink } from "llm-etl/sinks/sqlite";
import { PostgreSQLSource } from "llm-etl/sources/postgresql";
import { SQLiteSource } from "llm-etl/sources/sqlite";

export interface ChangesJob {
  /** The path of a database, or the connection string of one. */
  readonly place: string;
  readonly journal: string;
  readonly full: boolean;
}

export interface ChangesOutcome {
  readonly read: number;
  readonly due: number;
  readonly written: number;
  readonly unchanged: number;
  readonly skipped: number;
}

interface Row {
  readonly id: number;
  readonly note: string;
}

interface Done {
  readonly raw: Row;
  readonly processed: { readonly loud: string };
}

export async function run({ place, journal, full }: ChangesJob): Promise<ChangesOutcome> {
  const isFile = !place.startsWith("postgresql:");
  const query = {
    sql: "SELECT id, note, changed_at FROM source",
    primaryKeyColumn: "id",
    changes: { by: "column", column: "changed_at" },
  } as const;
  const table = {
    targetTable: "target",
    mergeKeys: ["id"] as const,
    columnMap: { id: (s: Done) => s.raw.id, note: (s: Done) => s.processed.loud },
  };
  const pipeline = new Pipeline<Row>({
    name: "changes_benchmark",
    source: isFile
      ? new SQLiteSource<Row>({ databasePath: place, ...query })
      : new PostgreSQLSource<Row>({ connectionString: place, ...query }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    onRowError: "skip",
    concurrency: 64,
    batchSize: 5_000,
    journal: new SQLiteJournal({ path: journal }),
  }).step(
    new TransformStep({
      name: "loud",
      outputKey: "loud",
      transform: ({ raw: { note } }) => {
        if (note.startsWith("bad")) throw new Error("it fails");
        return note.toUpperCase();
      },
    }),
  );
  const report = await (
    isFile
      ? pipeline.to(new SQLiteSink({ databasePath: place, ...table }))
      : pipeline.to(new PostgreSQLSink({ connectionString: place, ...table }))
  ).run({ full });
  if (report.error !== null) throw report.error;
  const { readCount, successCount, unchangedCount, skippedCount, changes } = report;
  return {
    read: readCount,
    due: changes?.dueCount ?? 0,
    written: successCount - unchangedCount,
    unchanged: unchangedCount,
    skipped: skippedCount,
  };
}
