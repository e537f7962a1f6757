import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { StagedValue } from "./fit.ts";

/** A row's key, in the spellings that matter. Trailing blanks do not: SQL Server compares without them. */
export interface RowKey {
  /** As the row has it. */
  readonly own: string;
  /** The same with its texts as the target has them: its collation may take another spelling for equal. */
  readonly stored: string;
  /** As the target has it, all parts of it. */
  readonly written: string;
}

/**
 * The merge keys of the rows of a run. Which of them are equal is for the target's collation to say, which only the server knows: by
 * the spelling in which the target has a row's key, another row with that key is told, whether it is written, waits, or did not change.
 *
 * They are kept in a private temporary database, which SQLite spills to disk and deletes: memory stays flat.
 */
export class RunKeys {
  readonly #database = new DatabaseSync("");
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  constructor() {
    this.#database.exec("PRAGMA synchronous = OFF");
    this.#database.exec("CREATE TABLE keys (kind INTEGER, key BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID");
    this.#insert = this.#database.prepare("INSERT OR IGNORE INTO keys VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT 1 FROM keys WHERE kind = ? AND key = ?");
    this.#database.exec("BEGIN"); // never committed: what is in it matters to this run only
  }

  /** Whether no earlier row has claimed the key in this very spelling. */
  claim(own: string): boolean {
    return this.#insert.run(kinds.claimed, Buffer.from(own)).changes === 1;
  }

  /** Whether the row that the target has under this key is that of another row of the run. */
  isTaken({ own, stored, written }: RowKey): boolean {
    return (stored !== own && this.#has(kinds.claimed, stored)) || this.#has(kinds.written, written);
  }

  addWritten(keys: readonly RowKey[]): void {
    for (const { written } of keys) this.#insert.run(kinds.written, Buffer.from(written));
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #has(kind: number, key: string): boolean {
    return this.#find.get(kind, Buffer.from(key)) !== undefined;
  }
}

const kinds = { claimed: 0, written: 1 } as const;

/** The parts of a key as one text. */
export function keyText(parts: readonly (StagedValue | Uint8Array)[]): string {
  const texts = parts.map((part) => {
    if (part instanceof Uint8Array) return Buffer.from(part).toString("hex");
    return typeof part === "string" ? part.replace(/ +$/, "") : part;
  });
  return JSON.stringify(texts);
}

/**
 * A text as some collations hold it equal to others: without case where it ignores that, without accents likewise. It may take for equal
 * what the server does not.
 */
export function foldText(text: string, collation: string): string {
  const words = collation.toUpperCase().split("_");
  let folded = text.replace(/ +$/, "");
  if (words.includes("BIN") || words.includes("BIN2")) return folded;
  folded = folded.normalize("NFKD");
  if (words.includes("AI")) folded = folded.replaceAll(/\p{M}/gu, "");
  return words.includes("CI") ? folded.toUpperCase().toLowerCase() : folded;
}
