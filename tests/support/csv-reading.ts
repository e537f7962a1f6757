import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AnySource, SourceRow } from "../../src/contracts/source.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";
import { CSVSource, type CSVSourceOptions } from "../../src/sources/csv.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
let files = 0;
export function fileOf(content: string | Uint8Array): string {
  files += 1;
  const path = join(folder, `rows ${files}.csv`);
  writeFileSync(path, content);
  return path;
}

export interface Reading {
  readonly rows: SourceRow[];
  readonly error: unknown;
}

export async function readAll(
  source: Pick<AnySource, "read">,
  signal: AbortSignal = new AbortController().signal,
): Promise<Reading> {
  const rows: SourceRow[] = [];
  try {
    for await (const row of source.read({ signal, parameters: {} })) rows.push(row);
  } catch (error) {
    return { rows, error };
  }
  return { rows, error: undefined };
}

export type TextOptions = Partial<Omit<CSVSourceOptions<Record<string, string | null>>, "filePath" | "path">>;

export async function readContent(
  content: string | Uint8Array,
  options: TextOptions = {},
): Promise<Reading & { path: string }> {
  const path = fileOf(content);
  const source = new CSVSource<Record<string, string | null>>({ filePath: path, primaryKeyColumn: "id", ...options });
  return { ...(await readAll(source)), path };
}

export function rawsOf({ rows, error }: Reading): unknown[] {
  assert.equal(error, undefined);
  return rows.map((row) => ("error" in row ? row.error : row.raw));
}

/** Asserts an error that names the file, with these facts. */
export function assertSourceError(error: unknown, path: string, facts: ErrorFacts): void {
  assert.ok(error instanceof SourceError, String(error));
  assert.equal(error.code, "SOURCE_FAILED");
  assert.partialDeepStrictEqual(error.facts, { source: `CSVSource ${path}`, ...facts });
}
