import { existsSync } from "node:fs";
import type { ErrorFacts } from "../errors/facts.ts";
import { messageOf } from "../errors/error-text.ts";

/** An error of DuckDB's, as far as it may be shown. */
export interface ErrorMeaning {
  /** Without content: DuckDB's own words only where they are of the query. */
  readonly problem: string;
  /** All that DuckDB says; it may quote values and names of columns. */
  readonly detail: string;
  readonly facts: ErrorFacts;
}

/** Kinds whose first line is about the query's own words and the files that it names. Others quote values, with quotes or without. */
const aboutTheQuery: ReadonlySet<string> = new Set([
  "Binder",
  "Catalog",
  "IO",
  "Missing Extension",
  "Parser",
  "Permission",
]);

/** The kinds that have words of our own, in the order in which they are tried. */
const known: readonly (readonly [pattern: RegExp, problem: string, facts: ErrorFacts])[] = [
  [
    /No files found that match/i,
    "no file has this name, or matches this pattern",
    { code: "ENOENT", hint: "a path in SQL is relative to the working directory" },
  ],
  [
    /No magic bytes|too small to be a Parquet|Invalid (?:Parquet|Thrift)|not a valid Parquet|TProtocolException|Footer length|Corrupted? (?:Parquet|data)/i,
    "a file is no Parquet file, or was cut off",
    { hint: "make it anew, or leave it out of the pattern" },
  ],
  [
    /Missing Extension Error|exists in the \w+ extension|requires the extension|Extension ".*" not found|no such extension/i,
    "the query needs an extension of DuckDB's, and none is loaded or downloaded",
    { hint: "copy the file to this machine, or convert it to Parquet, CSV or JSON" },
  ],
  [/No space left on device/i, "the disk is full", { code: "ENOSPC", hint: "make room, and run again" }],
  [
    /^Out of Memory Error/i,
    "the query needs more memory than it may use",
    {
      code: "OUT_OF_MEMORY",
      hint: "raise memoryLimitMiB, or have the query sort, group and limit less; files with smaller row groups need less, too",
    },
  ],
  [/Permission denied/i, "a file may not be read", { code: "EACCES", hint: "check the permissions of the file" }],
  [
    /Could not set lock/i,
    "another program writes to the database",
    { code: "EBUSY", hint: "close it there, or copy the file" },
  ],
  [
    /not a valid DuckDB database|magic bytes at|database file version/i,
    "it is no DuckDB database of a version that is known",
    {},
  ],
  [
    /explicit cast is required|Cannot compare values|No function matches/i,
    "",
    { hint: "where a parameter stands, write its type: CAST($name AS DATE)" },
  ],
  [
    /schema mismatch in glob/,
    "the files of a pattern have not the same columns",
    { hint: "read_parquet('…', union_by_name = true) reads them by their names" },
  ],
  [
    /CSV Error on Line|when sniffing file/,
    "a CSV file can't be read",
    { hint: "read_csv('…', all_varchar = true) reads all as text; its option types names the type of a column" },
  ],
  [/Malformed JSON|JSON transform error/, "a JSON file can't be read", {}],
  [
    /Table with name .* does not exist/,
    "",
    { hint: "a file stands in quotes and ends in .parquet, .csv or .json; for others write read_parquet('…')" },
  ],
  [/^Conversion Error/, "a value can't be converted", { hint: "TRY_CAST gives NULL for such a value" }],
];

/** @param words the texts that the query is made of: what they hold in quotes may be shown */
export function meaningOf(error: unknown, words: readonly string[]): ErrorMeaning {
  const detail = messageOf(error).replace(/^Failed to extract statements: /, "");
  const [, kind = ""] = /^([A-Z][A-Za-z ]{1,30}) Error: /.exec(detail) ?? [];
  const [, own = "", facts = {}] = known.find(([pattern]) => pattern.test(detail)) ?? [];
  const [line = ""] = detail.split("\n", 1);
  const said = aboutTheQuery.has(kind) ? masked(line, words) : `${kind === "" ? "DuckDB" : kind} Error`;
  const path = pathIn(line) ?? pathIn(/^\s*file = (.*)$/m.exec(detail)?.[1] ?? "");
  const [, lineNumber] = /CSV Error on Line: (\d+)/.exec(detail) ?? [];
  const [, record] = /in record\/value (\d+)/.exec(detail) ?? [];
  const places = [
    ...(path === undefined || said.includes(path) ? [] : [path]),
    ...(lineNumber === undefined ? [] : [`line ${lineNumber}`]),
    ...(record === undefined ? [] : [`record ${record}`]),
  ];
  const place = places.length === 0 ? "" : `: ${places.join(", ")}`;
  return {
    problem: own === "" ? `${said}${place}` : `${own}${place} (${said})`,
    detail,
    facts: { errorKind: kind, path, ...(lineNumber !== undefined && { line: Number(lineNumber) }), ...facts },
  };
}

/** The line without those texts in quotes that the query does not have: they may come from the data. */
function masked(line: string, words: readonly string[]): string {
  const own = words.flatMap((word) => [word, word.replaceAll("''", "'")]);
  return line.replaceAll(/(["'`])(.*?)\1/g, (quoted: string, quote: string, text: string) => {
    return own.some((word) => text !== "" && word.includes(text)) ? quoted : `${quote}…${quote}`;
  });
}

/** The file that a message names, in quotes or alone. There may be a quote in its path. */
function pathIn(line: string): string | undefined {
  const quoted = [/(["'])(.*)\1/, /(["'])(.*?)\1/].map((pattern) => pattern.exec(line)?.[2] ?? "");
  return [...quoted, line].find((text) => existsSync(text));
}
