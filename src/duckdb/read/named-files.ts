import { existsSync, globSync, readFileSync } from "node:fs";
import { isReadOnce } from "../../files/read-once.ts";
import { absolutePath } from "../../files/paths.ts";

/** Files of data; a pattern that ends otherwise, and has no folder in it, may be one of texts. */
const ofData = /[/\\]|\.(?:parquet|pq|csv|tsv|txt|json|jsonl|ndjson)(?:\.(?:gz|zst))?$/i;

/**
 * The files that a query names in quotes, and those that match a pattern in it, as absolute paths, as far as they are there. A text that is no path
 * is passed over.
 */
export function namedFiles(texts: readonly string[]): readonly string[] {
  const named = texts.flatMap((text) => [...text.matchAll(/'((?:[^']|'')*)'|"((?:[^"]|"")*)"/g)].map(unquoted));
  return [...new Set(named.flatMap(filesOf))];
}

/** The text of a file with a query; none where it can't be read, or only once. */
export function textOf(path: string): string {
  try {
    return isReadOnce(path) ? "" : readFileSync(path, "utf8");
  } catch {
    return ""; // reading it says why
  }
}

function unquoted([, single, double = ""]: RegExpExecArray): string {
  return single === undefined ? double.replaceAll('""', '"') : single.replaceAll("''", "'");
}

function filesOf(text: string): readonly string[] {
  if (text.trim() === "" || text.length > 4_096 || text.includes("\0") || /^\w+:\/\//.test(text)) return [];
  if (existsSync(text)) return [absolutePath(text)];
  if (!/[*?[]/.test(text) || !ofData.test(text)) return [];
  return globSync(text).map((path) => absolutePath(path));
}
