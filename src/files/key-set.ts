import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { FileError } from "./file-error.ts";

/** A part of a key: a text as `toExactText` makes it, or what SQLite compares by the part's type. */
export type KeyPart = SQLInputValue;

/**
 * The keys of a run's rows, each with the position at which it was first seen. They are kept in a temporary database that
 * SQLite spills to disk and deletes, so that memory stays flat however many there are.
 */
export class KeySet {
  // An empty name is SQLite's private temporary database: on disk beyond its page cache, gone when closed, also after a crash.
  readonly #database = new DatabaseSync("");
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  /** `types`: how each part of a key is declared, where SQLite's affinities and collations are to say which are equal. */
  constructor(types: readonly string[] = [""]) {
    const parts = types.map((_, index) => `k${index}`);
    const columns = parts.map((part, index) => `${part} ${types[index]}`).join(", ");
    this.#database.exec("PRAGMA synchronous = OFF");
    this.#database.exec(
      `CREATE TABLE keys (${columns}, position INTEGER NOT NULL, PRIMARY KEY (${parts.join(", ")})) WITHOUT ROWID`,
    );
    this.#insert = this.#database.prepare(`INSERT OR IGNORE INTO keys VALUES (${parts.map(() => "?").join(", ")}, ?)`);
    this.#find = this.#database.prepare(
      `SELECT position FROM keys WHERE ${parts.map((part) => `${part} = ?`).join(" AND ")}`,
    );
    this.#database.exec("BEGIN"); // never committed: what is in it matters to this run only
  }

  /**
   * Remembers the key of the row at `position`; no part of it may be NULL. The position of the row that had it before, or undefined.
   *
   * @throws {FileError} TEMPORARY_FILE_FAILED if the disk has no room for it
   */
  add(key: readonly KeyPart[], position: number): number | undefined {
    const [only = null] = key;
    try {
      // Most keys have one part, and spreading it costs an eighth of the call.
      const { changes } = key.length === 1 ? this.#insert.run(only, position) : this.#insert.run(...key, position);
      if (changes === 1) return undefined;
    } catch (error) {
      throw temporaryFileError(error);
    }
    return Number(this.#find.get(...key)?.["position"]);
  }

  has(key: readonly KeyPart[]): boolean {
    return this.#find.get(...key) !== undefined;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function temporaryFileError(error: unknown): FileError {
  const reason = error instanceof Error ? error.message : "unknown";
  const remedy = "free the folder for temporary files, or name another in SQLITE_TMPDIR";
  return new FileError("TEMPORARY_FILE_FAILED", `the keys of the run's rows can't be kept (${reason}): ${remedy}`);
}
