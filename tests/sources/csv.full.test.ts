// Full lane: files of 17 to 20 MB take three seconds of CPU.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";
import type { AnySource, SourceRow } from "../../src/contracts/source.ts";
import { CSVSource, type CSVSourceOptions } from "../../src/sources/csv.ts";

const folder = mkdtempSync(join(tmpdir(), "llm-etl csv source "));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileOf(content: string | Uint8Array): string {
  files += 1;
  const path = join(folder, `rows ${files}.csv`);
  writeFileSync(path, content);
  return path;
}

interface Reading {
  readonly rows: SourceRow[];
  readonly error: unknown;
}

async function readAll(
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

type TextOptions = Partial<Omit<CSVSourceOptions<Record<string, string | null>>, "filePath" | "path">>;

async function readContent(
  content: string | Uint8Array,
  options: TextOptions = {},
): Promise<Reading & { path: string }> {
  const path = fileOf(content);
  const source = new CSVSource<Record<string, string | null>>({ filePath: path, primaryKeyColumn: "id", ...options });
  return { ...(await readAll(source)), path };
}

function rawsOf({ rows, error }: Reading): unknown[] {
  assert.equal(error, undefined);
  return rows.map((row) => ("error" in row ? row.error : row.raw));
}

/** Asserts an error that names the file, with these facts. */
function assertSourceError(error: unknown, path: string, facts: ErrorFacts): void {
  assert.ok(error instanceof SourceError, String(error));
  assert.equal(error.code, "SOURCE_FAILED");
  assert.partialDeepStrictEqual(error.facts, { source: `CSVSource ${path}`, ...facts });
}

test("a quote that is never closed does not take the rest of a huge file into memory", async () => {
  const { rows, error, path } = await readContent(`id,text\n1,a\n\n2,"${"x,y\n".repeat(5 * 1024 * 1024)}`);
  assert.equal(rows.length, 1);
  assertSourceError(error, path, { line: 4, expected: "at most 16777216 bytes" });
});

test("a line of nothing but delimiters does not fill the memory either", async () => {
  const { rows, error, path } = await readContent(`id,text\n1,a\n${",".repeat(20 * 1024 * 1024)}`);
  assert.equal(rows.length, 1);
  assertSourceError(error, path, { line: 3, expected: "at most 16777216 bytes" });
});

test("a file has as many blank lines as it likes", async () => {
  const raws = rawsOf(await readContent(`id,text\n${"\n".repeat(17 * 1024 * 1024)}1,a\n`));
  assert.deepEqual(raws, [{ id: "1", text: "a" }]);
});
