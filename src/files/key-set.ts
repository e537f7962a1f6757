import { DatabaseSync, type StatementSync } from "node:sqlite";
import { toExactText } from "./exact-text.ts";

/**
 * The primary keys seen in a run. They are kept in a temporary database that SQLite spills to disk and deletes,
 * so that memory stays flat however many there are.
 */
export class SeenKeys {
  // An empty name is SQLite's private temporary database: on disk beyond its page cache, gone when closed.
  readonly #database = new DatabaseSync("");
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  constructor() {
    this.#database.exec("CREATE TABLE seen (pk PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID");
    this.#insert = this.#database.prepare("INSERT OR IGNORE INTO seen VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT position FROM seen WHERE pk = ?");
    this.#database.exec("BEGIN"); // never committed: what is in it matters to this run only
  }

  /** Remembers the key of the row at `position`. The position of the row that had it before, or undefined. */
  add(pk: string, position: number): number | undefined {
    const key = toExactText(pk);
    if (this.#insert.run(key, position).changes === 1) return undefined;
    return Number(this.#find.get(key)?.["position"]);
  }

  close(): void {
    this.#database.close();
  }
}
