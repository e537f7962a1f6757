import { DuckDBInstance } from "@duckdb/node-api";
import type { SourceRow } from "../../src/contracts/source.ts";
import { DuckDBSource } from "../../src/sources/duckdb.ts";

/** Runs statements in a database of its own: in memory, or in a file. */
export async function execute(sql: string, databasePath = ":memory:"): Promise<void> {
  const instance = await DuckDBInstance.create(databasePath);
  const connection = await instance.connect();
  try {
    await connection.run(sql);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** A text as SQL has it in quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Makes a Parquet file of a query's rows. */
export async function writeParquet(path: string, query: string): Promise<void> {
  await execute(`COPY (${query}) TO ${quoted(path)} (FORMAT parquet)`);
}

export const reading = () => ({ signal: new AbortController().signal, parameters: {} });

/** The rows of a query; its errors are thrown. */
export async function rowsOf(sql: string, primaryKeyColumn = "id"): Promise<readonly Record<string, unknown>[]> {
  const source = new DuckDBSource<Record<string, unknown>>({ sql, primaryKeyColumn });
  return (await Array.fromAsync(source.read(reading()))).map(rawOf);
}

export function rawOf(row: SourceRow): Record<string, unknown> {
  if ("error" in row) throw row.error;
  return { ...row.raw };
}
