/** One source or one sink with nothing around it. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { ColumnValues, Sink, Source } from "llm-etl";
import { CSVSink } from "llm-etl/sinks/csv";
import { SQLiteSink } from "llm-etl/sinks/sqlite";
import { CSVSource } from "llm-etl/sources/csv";
import { SQLiteSource } from "llm-etl/sources/sqlite";
import { type Note, noteOf, writeNotes } from "../workload/notes.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

export const parts = ["CSVSource", "SQLiteSource", "CSVSink", "SQLiteSink"] as const;

export interface FileJob {
  readonly part: (typeof parts)[number];
  readonly rows: number;
  readonly batchSize: number;
  /** An empty one. */
  readonly folder: string;
}

export interface FileSpeed {
  readonly rowsPerSecond: number;
  /** Of a sink of a table: when all rows are there already, with other values. */
  readonly updatedPerSecond: number | null;
}

const { signal } = new AbortController();

export async function run({ part, rows, batchSize, folder }: FileJob): Promise<FileSpeed> {
  const notes = Array.from({ length: rows }, (_, index) => noteOf(index + 1));
  return await measures[part](notes, folder, batchSize);
}

type Measure = (notes: readonly Note[], folder: string, batchSize: number) => Promise<FileSpeed>;

const measures: Readonly<Record<FileJob["part"], Measure>> = {
  CSVSource: async (notes, folder) => {
    const path = join(folder, "notes.csv");
    await writeNotes(path, notes.length);
    return await reading(new CSVSource({ filePath: path, primaryKeyColumn: "id" }), notes.length);
  },
  SQLiteSource: async (notes, folder) => {
    const databasePath = createTable(folder, notes);
    const sql = "SELECT id, note FROM notes";
    return await reading(new SQLiteSource<Note>({ databasePath, sql, primaryKeyColumn: "id" }), notes.length);
  },
  CSVSink: async (notes, folder, batchSize) => {
    const sink = new CSVSink({ filePath: join(folder, "notes.csv"), columnMap });
    return { rowsPerSecond: await writing(sink, notes, batchSize), updatedPerSecond: null };
  },
  SQLiteSink: async (notes, folder, batchSize) => {
    const databasePath = createTable(folder, []);
    const sink = new SQLiteSink({ databasePath, targetTable: "notes", mergeKeys: ["id"], columnMap });
    const rowsPerSecond = await writing(sink, notes, batchSize);
    const changed = notes.map(({ id, note }) => ({ id, note: `${note}.` }));
    return { rowsPerSecond, updatedPerSecond: await writing(sink, changed, batchSize) };
  },
};

/** Here the sinks are given values; nothing is mapped. */
const columnMap = { id: (): null => null, note: (): null => null };

/** The path of a database with the notes in it. */
function createTable(folder: string, notes: readonly Note[]): string {
  const path = join(folder, "notes.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT NOT NULL); BEGIN");
  const insert = database.prepare("INSERT INTO notes VALUES (?, ?)");
  for (const { id, note } of notes) insert.run(id, note);
  database.exec("COMMIT");
  database.close();
  return path;
}

async function reading<Row extends object>(source: Source<Row>, rows: number): Promise<FileSpeed> {
  const startedMs = performance.now();
  let count = 0;
  for await (const row of source.read({ signal, parameters: {} })) if ("raw" in row) count += 1;
  const rowsPerSecond = speed(rows, startedMs);
  if (count !== rows) throw new Error(`${source.name} gave ${count} of ${rows} rows`);
  return { rowsPerSecond, updatedPerSecond: null };
}

async function writing(sink: Sink<never>, notes: readonly Note[], batchSize: number): Promise<number> {
  const batches: ColumnValues[][] = [];
  for (let start = 0; start < notes.length; start += batchSize) {
    batches.push(notes.slice(start, start + batchSize).map(({ id, note }) => ({ id, note })));
  }
  const session = await sink.open({ signal });
  const startedMs = performance.now();
  for (const batch of batches) await session.write(groupsOf(batch));
  await session.close("completed");
  return speed(notes.length, startedMs);
}

function speed(rows: number, startedMs: number): number {
  return rows / ((performance.now() - startedMs) / 1000);
}
