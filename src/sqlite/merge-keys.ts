import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { ColumnValues } from "../contracts/sink.ts";
import { quoteIdentifier } from "./identifiers.ts";
import type { TargetKey } from "./target.ts";
import { toSQLiteValue } from "./values.ts";

/**
 * The merge keys of the rows of a run, equal where the target's unique index holds them equal: after the columns'
 * affinities (text '5' and number 5 in an INTEGER column) and collations (NOCASE).
 *
 * They are kept in a private temporary database, which SQLite spills to disk and deletes: memory stays flat. It is
 * not the sink's connection, so that it can stay in one transaction that is never committed.
 */
export class MergeKeys {
  readonly #keys: readonly TargetKey[];
  readonly #database = new DatabaseSync("");
  readonly #insert: StatementSync;

  constructor(keys: readonly TargetKey[]) {
    this.#keys = keys;
    const columns = keys.map(
      ({ affinity, collation }, index) => `k${index} ${affinity} COLLATE ${quoteIdentifier(collation)}`,
    );
    const names = keys.map((_, index) => `k${index}`).join(", ");
    this.#database.exec("PRAGMA synchronous = OFF");
    this.#database.exec(`CREATE TABLE seen (${columns.join(", ")}, PRIMARY KEY (${names})) WITHOUT ROWID`);
    this.#insert = this.#database.prepare(`INSERT OR IGNORE INTO seen VALUES (${keys.map(() => "?").join(", ")})`);
    this.#database.exec("BEGIN");
  }

  /** Whether no earlier row had this key. No part of it may be NULL. */
  add(values: ColumnValues): boolean {
    return this.#insert.run(...this.#keys.map(({ mapped }) => toSQLiteValue(values[mapped]))).changes === 1;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}
