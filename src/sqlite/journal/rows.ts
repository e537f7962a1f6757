import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { BadRow, KnownRow, WrittenRow } from "../../contracts/journal.ts";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import { keyOfSink } from "./schema.ts";

/** The rows in a journal. `saveWritten`, `saveFailed` and `forgetAll` are to be called in a transaction. */
export class Rows {
  readonly #statements: ReturnType<typeof prepare>;
  /** By the identity of each sink, its key. */
  readonly #sinks = new Map<string, Buffer>();

  constructor(database: DatabaseSync) {
    this.#statements = prepare(database);
  }

  find(sink: string, pk: string): WrittenRow | undefined {
    const row = this.#statements.find.get(this.#keyOf(sink), toExactText(pk));
    const known = row === undefined ? undefined : toKnownRow(pk, row);
    return known?.outcome === "written" ? known : undefined;
  }

  /** The code of the error of a row whose last outcome was to fail. */
  findFailed(sink: string, pk: string): string | undefined {
    const row = this.#statements.find.get(this.#keyOf(sink), toExactText(pk));
    const known = row === undefined ? undefined : toKnownRow(pk, row);
    return known?.outcome === "failed" ? known.errorCode : undefined;
  }

  hasWritten(sink: string): boolean {
    return this.#statements.anyWritten.get(this.#keyOf(sink)) !== undefined;
  }

  saveWritten(sink: string, row: WrittenRow): void {
    const { pk, targetKey, valuesHash, runId, startedAt, completedAt, lineage } = row;
    const key = this.#keyOf(sink);
    const otherKey = targetKey === pk ? null : toExactText(targetKey);
    this.#statements.forgetByKey.run(key, toExactText(targetKey), toExactText(pk));
    if (otherKey !== null) this.#statements.forgetByPk.run(key, otherKey);
    const times = [startedAt.getTime(), completedAt.getTime()];
    const digest = Buffer.from(valuesHash, "hex");
    const facts = JSON.stringify(lineage);
    this.#statements.saveWritten.run(key, toExactText(pk), runId, otherKey, digest, ...times, facts);
  }

  saveFailed(sink: string, row: BadRow): void {
    const { position, pk, ownsKey, step, errorCode, errorMessage, retryCount, runId, failedAt } = row;
    const key = pk === null ? null : toExactText(pk);
    const failure = [step, errorCode, errorMessage, retryCount, failedAt.getTime()];
    this.#statements.addFailure.run(runId, position, key, ownsKey ? 1 : 0, ...failure);
    if (key !== null && ownsKey) this.#statements.saveFailed.run(this.#keyOf(sink), key, runId, errorCode);
  }

  forgetAll(sink: string): void {
    this.#statements.forgetAll.run(this.#keyOf(sink));
  }

  #keyOf(identity: string): Buffer {
    const key = this.#sinks.get(identity) ?? keyOfSink(identity);
    this.#sinks.set(identity, key);
    return key;
  }
}

/** A row as its line in the table says it. */
export function toKnownRow(pk: string, row: Readonly<Record<string, SQLOutputValue>>): KnownRow {
  const runId = String(row["run_id"]);
  if (row["outcome"] !== "written") return { outcome: "failed", pk, runId, errorCode: String(row["error_code"]) };
  return {
    outcome: "written",
    pk,
    targetKey: row["target_key"] === null ? pk : fromExactText(row["target_key"]),
    valuesHash: row["values_hash"] instanceof Uint8Array ? Buffer.from(row["values_hash"]).toString("hex") : "",
    runId,
    startedAt: new Date(Number(row["started_at"])),
    completedAt: new Date(Number(row["completed_at"])),
    lineage: JSON.parse(String(row["lineage"])),
  };
}

function prepare(database: DatabaseSync) {
  return {
    find: database.prepare("SELECT * FROM rows WHERE sink = ? AND pk = ?"),
    anyWritten: database.prepare("SELECT 1 FROM rows WHERE sink = ? AND outcome = 'written' LIMIT 1"),
    saveWritten: database.prepare("INSERT OR REPLACE INTO rows VALUES (?, ?, 'written', ?, NULL, ?, ?, ?, ?, ?)"),
    forgetByKey: database.prepare(
      "DELETE FROM rows INDEXED BY rows_by_target_key WHERE sink = ? AND target_key = ? AND pk <> ?",
    ),
    forgetByPk: database.prepare("DELETE FROM rows WHERE sink = ? AND pk = ? AND target_key IS NULL"),
    saveFailed: database.prepare(
      "INSERT OR REPLACE INTO rows VALUES (?, ?, 'failed', ?, ?, NULL, NULL, NULL, NULL, NULL)",
    ),
    addFailure: database.prepare(
      `INSERT INTO failures (run_id, position, pk, owns_key, step, error_code, error_message, retry_count, failed_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    forgetAll: database.prepare("DELETE FROM rows WHERE sink = ?"),
  };
}
