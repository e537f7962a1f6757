import type { DatabaseSync } from "node:sqlite";
import type { Page, PageRequest } from "../../contracts/journal.ts";
import type { SubmittedWork } from "../../contracts/journal-work.ts";
import { type Line, pageFrom, pageOf } from "./paging.ts";

/** Work that was handed to a Batch API. What saves and removes is to be called in a transaction. */
export class Work {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  save(work: SubmittedWork): void {
    this.#statements.save.run(work.id, JSON.stringify(work));
  }

  addFingerprints(id: string, fingerprints: readonly string[]): void {
    for (const fingerprint of fingerprints) this.#statements.add.run(Buffer.from(fingerprint, "hex"), id);
  }

  removeFingerprints(id: string, fingerprints: readonly string[]): void {
    for (const fingerprint of fingerprints) this.#statements.remove.run(Buffer.from(fingerprint, "hex"), id);
  }

  find(fingerprint: string): string | undefined {
    const found = this.#statements.find.get(Buffer.from(fingerprint, "hex"))?.["work"];
    return found === undefined ? undefined : String(found);
  }

  list(request: PageRequest): Page<SubmittedWork> {
    return pageFrom(this.#database, { table: "submitted_work", order: "newest" }, request, toWork);
  }

  fingerprints(id: string, { limit, from = "" }: PageRequest): Page<string> {
    const lines = this.#statements.list.all(id, Buffer.from(from, "hex"), limit + 1);
    return pageOf(lines, limit, ({ number }) => String(number));
  }
}

function toWork({ record }: Line): SubmittedWork {
  const work: SubmittedWork = JSON.parse(String(record)); // as it was saved, but for its times
  return { ...work, createdAt: new Date(work.createdAt), updatedAt: new Date(work.updatedAt) };
}

function prepare(database: DatabaseSync) {
  return {
    save: database.prepare(
      "INSERT INTO submitted_work (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
    ),
    add: database.prepare("INSERT OR REPLACE INTO submitted_fingerprints VALUES (?, ?)"),
    remove: database.prepare("DELETE FROM submitted_fingerprints WHERE fingerprint = ? AND work = ?"),
    find: database.prepare("SELECT work FROM submitted_fingerprints WHERE fingerprint = ?"),
    list: database.prepare(
      `SELECT lower(hex(fingerprint)) AS number FROM submitted_fingerprints WHERE work = ? AND fingerprint > ?
      ORDER BY fingerprint LIMIT ?`,
    ),
  };
}
