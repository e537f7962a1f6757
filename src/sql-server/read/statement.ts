import { scanSQL, type SQLScan } from "../../table/scan-sql.ts";
import type { Fail } from "../connect/connection.ts";

/** The contents of a text of T-SQL, as far as they can be known without the grammar. */
export interface StatementScan extends Pick<SQLScan, "count" | "variables" | "words"> {
  /** The line of the first batch separator, from 1. */
  readonly separatorLine: number | undefined;
}

/** The first statement's outline: the parts of it that are not inside of others. */
export type StatementOutline = Pick<SQLScan, "outerWords" | "end">;

// A quote or a comment that is never closed runs to the end of the text, and is left for the server to report.
const pattern = new RegExp(
  [
    String.raw`(?<blank>\s+|--[^\r\n]*)`,
    String.raw`(?<comment>/\*)`,
    String.raw`(?<quoted>'[^']*(?:''[^']*)*'?|"[^"]*(?:""[^"]*)*"?|\[[^\]]*(?:\]\][^\]]*)*\]?)`,
    String.raw`(?<word>[\p{L}_#][\p{L}\p{M}\p{N}_@$#]*)`,
    String.raw`(?<variable>@[\p{L}\p{M}\p{N}_@$#]*)`,
    String.raw`(?<number>\d[\p{L}\p{N}_.]*)`,
    String.raw`(?<end>;)`,
    String.raw`[^]`,
  ].join("|"),
  "uy",
);

/** Counts statements and finds variables, with quotes, brackets and nested comments understood. */
export function scanStatement(sql: string): StatementScan {
  let separatorLine: number | undefined;
  const isPassedOver = (start: number, end: number): boolean => {
    if (!isSeparator(sql, start, end)) return false;
    separatorLine ??= lineOf(sql, start);
    return true;
  };
  const { count, variables, words } = scanSQL(sql, { pattern, isPassedOver });
  return { count, variables, words, separatorLine };
}

/** The outline of the first statement in a text. */
export function outlineStatement(sql: string): StatementOutline {
  const isPassedOver = (start: number, end: number): boolean => isSeparator(sql, start, end);
  const { outerWords, end } = scanSQL(sql, { pattern, isPassedOver });
  return { outerWords, end };
}

/** `GO`, or `GO 5`, alone on its line: no SQL, but a word to the tools that send batches. */
function isSeparator(sql: string, start: number, end: number): boolean {
  if (sql.slice(start, end).toUpperCase() !== "GO") return false;
  const before = sql.slice(0, start);
  const after = sql.slice(end);
  return /(?:^|[\r\n])[^\S\r\n]*$/.test(before) && /^[^\S\r\n]*\d*[^\S\r\n]*(?:--[^\r\n]*)?(?:$|[\r\n])/.test(after);
}

function lineOf(sql: string, at: number): number {
  return sql.slice(0, at).split(/\r\n|\r|\n/).length;
}

/** Reserved words: a query that only reads has none of them outside of quotes and brackets. */
const changes = [
  "INSERT",
  "UPDATE",
  "DELETE",
  "INTO",
  "EXEC",
  "EXECUTE",
  "CREATE",
  "ALTER",
  "DROP",
  "TRUNCATE",
] as const;

/**
 * The scan of a text that is one query, as far as that can be known without the server.
 *
 * @param where the text's name in messages: `the sql`
 * @throws the error of `fail` for a text that is empty, holds `GO`, several statements, or one that is not a query
 */
export function requireQuery(sql: string, where: string, fail: Fail): StatementScan {
  const scan = scanStatement(sql);
  const [first] = scan.words;
  if (sql.includes("\0"))
    throw fail(`${where} holds a NUL character`, { facts: { where, hint: "save it as UTF-8, without it" } });
  if (!sql.isWellFormed())
    throw fail(`${where} holds half of a surrogate pair`, { facts: { where, hint: "save it as UTF-8" } });
  if (scan.separatorLine !== undefined) {
    const hint = "take the GO out, and what belongs to another batch";
    const facts = { where, word: "GO", line: scan.separatorLine, expected: "one query", hint };
    throw fail(`${where} has the batch separator GO in line ${scan.separatorLine}`, { facts });
  }
  if (scan.count === 0) throw fail(`${where} is empty`, { facts: { where, statements: 0, expected: "one query" } });
  if (scan.count > 1) {
    const hint = "write what they declare as parameters (@name), and join them into one SELECT";
    const facts = { where, statements: scan.count, expected: "one query", hint };
    throw fail(`${where} holds ${scan.count} statements`, { facts });
  }
  if (first !== "SELECT" && first !== "WITH") {
    throw fail(`${where} begins with ${first ?? "no word"}`, {
      facts: { where, word: first, expected: "a query: SELECT …, or WITH … SELECT …" },
    });
  }
  const change = changes.find((word) => scan.words.includes(word));
  if (change !== undefined) {
    const hint = `put a name like it in brackets: [${change}]`;
    const facts = { where, word: change, expected: "a query that only reads", hint };
    throw fail(`${where} has the word ${change}`, { facts });
  }
  const twice = scan.variables.find((name, index) =>
    scan.variables.some((other, place) => place < index && other.toLowerCase() === name.toLowerCase()),
  );
  if (twice !== undefined)
    throw fail(`${where} spells the parameter @${twice} in two ways`, {
      facts: { where, parameter: twice, hint: "spell it in one" },
    });
  return scan;
}

/** A query for the number of another one's rows, `row_count`; undefined where that is not put into another as it is. */
export function countingQuery(sql: string): string | undefined {
  const { words } = scanStatement(sql);
  const { outerWords, end } = outlineStatement(sql);
  const has = (...wanted: readonly string[]): boolean => wanted.some((word) => words.includes(word));
  if (words[0] !== "SELECT" || has("OPTION", "FOR")) return undefined;
  // Inside of another query an order is allowed only where it decides which rows there are.
  const order = has("ORDER") && !has("TOP", "OFFSET") ? "\nOFFSET 0 ROWS" : "";
  const [first] = outerWords;
  return `SELECT COUNT_BIG(*) AS row_count FROM (\n${sql.slice(first?.at, end)}${order}\n) AS counted`;
}
