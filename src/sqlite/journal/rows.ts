import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { BadRow, KnownRow, RowUse, WrittenRow } from "../../contracts/journal.ts";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import { prepareFind } from "./find-values.ts";
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
    const known = this.#known(sink, pk);
    return known?.outcome === "written" ? known : undefined;
  }

  /** The code of the error of a row whose last outcome was to fail. */
  findFailed(sink: string, pk: string): string | undefined {
    const known = this.#known(sink, pk);
    return known?.outcome === "failed" ? known.errorCode : undefined;
  }

  /** The fingerprints of the answers that a row used last. */
  findUsed(sink: string, pk: string): readonly string[] | undefined {
    return usedIn(this.#statements.findUsed(this.#keyOf(sink), toExactText(pk))?.[0]) ?? undefined;
  }

  saveUsed(sink: string, { pk, fingerprints }: RowUse): void {
    this.#statements.saveUsed.run(this.#keyOf(sink), toExactText(pk), toBytes(fingerprints));
  }

  hasWritten(sink: string): boolean {
    return this.#statements.anyWritten.get(this.#keyOf(sink)) !== undefined;
  }

  saveWritten(sink: string, row: WrittenRow): void {
    const { pk, targetKey, valuesHash, runId, startedAt, completedAt, lineage, fingerprints } = row;
    const key = this.#keyOf(sink);
    const otherKey = targetKey === pk ? null : toExactText(targetKey);
    this.#statements.forgetByKey.run(key, toExactText(targetKey), toExactText(pk));
    if (otherKey !== null) this.#statements.forgetByPk.run(key, otherKey);
    const times = [startedAt.getTime(), completedAt.getTime()];
    const digest = Buffer.from(valuesHash, "hex");
    const facts = JSON.stringify(lineage);
    const used = fingerprints === null ? null : toBytes(fingerprints);
    this.#statements.saveWritten.run(key, toExactText(pk), runId, otherKey, digest, ...times, facts, used);
  }

  saveFailed(sink: string, row: BadRow): void {
    this.addFailure(row);
    const { pk, ownsKey, errorCode, runId } = row;
    if (pk !== null && ownsKey) this.setFailed(sink, pk, runId, errorCode);
  }

  /** Adds it to the failures of its run. */
  addFailure({ position, pk, ownsKey, step, errorCode, errorMessage, retryCount, runId, failedAt }: BadRow): void {
    const key = pk === null ? null : toExactText(pk);
    const failure = [step, errorCode, errorMessage, retryCount, failedAt.getTime()];
    this.#statements.addFailure.run(runId, position, key, ownsKey ? 1 : 0, ...failure);
  }

  setFailed(sink: string, pk: string, runId: string, errorCode: string): void {
    this.#statements.saveFailed.run(this.#keyOf(sink), toExactText(pk), runId, errorCode);
  }

  forgetAll(sink: string): void {
    this.#statements.forgetAll.run(this.#keyOf(sink));
  }

  #known(sink: string, pk: string): KnownRow | undefined {
    const values = this.#statements.find(this.#keyOf(sink), toExactText(pk));
    return values === undefined ? undefined : toKnownRow(pk, values);
  }

  #keyOf(identity: string): Buffer {
    const key = this.#sinks.get(identity) ?? keyOfSink(identity);
    this.#sinks.set(identity, key);
    return key;
  }
}

/** Bytes as hexadecimal digits: the driver makes a text of them in a fraction of the time that it takes for bytes. */
export const usedDigits = "iif(fingerprints IS NULL, NULL, lower(hex(fingerprints)))";

/** The statement that finds a row by sink and primary key. A journal that nobody has brought up to date has no fingerprints. */
export function rowQuery(hasFingerprints: boolean): string {
  return `SELECT outcome, run_id, error_code, target_key, started_at, completed_at, lineage, lower(hex(values_hash)),
    ${hasFingerprints ? usedDigits : "NULL"} FROM rows WHERE sink = ? AND pk = ?`;
}

/** The row of a line of {@link rowQuery}; undefined where it was forgotten, but for the answers that it used. */
export function toKnownRow(pk: string, values: readonly SQLOutputValue[]): KnownRow | undefined {
  const [outcome, runIdText, errorCode, targetKey, startedAt, completedAt, lineage, valuesHash, used] = values;
  if (outcome === "known") return undefined;
  const runId = String(runIdText);
  if (outcome !== "written") return { outcome: "failed", pk, runId, errorCode: String(errorCode) };
  return {
    outcome: "written",
    pk,
    targetKey: targetKey === null ? pk : fromExactText(targetKey),
    valuesHash: String(valuesHash),
    runId,
    startedAt: new Date(Number(startedAt)),
    completedAt: new Date(Number(completedAt)),
    lineage: JSON.parse(String(lineage)),
    fingerprints: usedIn(used),
  };
}

/** A SHA-256, in hexadecimal digits. */
const fingerprintDigits = 64;

/** The fingerprints in their digits, as {@link rowQuery} has them last; null where they are not known. */
export function usedIn(digits: SQLOutputValue | undefined): readonly string[] | null {
  if (typeof digits !== "string") return null;
  const fingerprints: string[] = [];
  for (let at = 0; at < digits.length; at += fingerprintDigits) {
    fingerprints.push(digits.slice(at, at + fingerprintDigits));
  }
  return fingerprints;
}

function toBytes(fingerprints: readonly string[]): Buffer {
  return Buffer.from(fingerprints.join(""), "hex");
}

/** Forgets a row, but for the answers that it used. */
const forgotten = `UPDATE rows SET outcome = 'known', error_code = NULL, target_key = NULL, values_hash = NULL, started_at = NULL,
  completed_at = NULL, lineage = NULL`;

function prepare(database: DatabaseSync) {
  return {
    find: prepareFind(database, rowQuery(true)),
    anyWritten: database.prepare("SELECT 1 FROM rows WHERE sink = ? AND outcome = 'written' LIMIT 1"),
    findUsed: prepareFind(database, `SELECT ${usedDigits} FROM rows WHERE sink = ? AND pk = ?`),
    saveUsed: database.prepare(
      `INSERT INTO rows (sink, pk, outcome, run_id, fingerprints) VALUES (?, ?, 'known', '', ?)
      ON CONFLICT (sink, pk) DO UPDATE SET fingerprints = excluded.fingerprints`,
    ),
    saveWritten: database.prepare("INSERT OR REPLACE INTO rows VALUES (?, ?, 'written', ?, NULL, ?, ?, ?, ?, ?, ?)"),
    forgetByKey: database.prepare(
      `${forgotten.replace("rows", "rows INDEXED BY rows_by_target_key")} WHERE sink = ? AND target_key = ? AND pk <> ?`,
    ),
    forgetByPk: database.prepare(`${forgotten} WHERE sink = ? AND pk = ? AND target_key IS NULL`),
    saveFailed: database.prepare(
      `INSERT INTO rows (sink, pk, outcome, run_id, error_code) VALUES (?, ?, 'failed', ?, ?) ON CONFLICT (sink, pk)
      DO UPDATE SET outcome = 'failed', run_id = excluded.run_id, error_code = excluded.error_code, target_key = NULL,
      values_hash = NULL, started_at = NULL, completed_at = NULL, lineage = NULL`,
    ),
    addFailure: database.prepare(
      `INSERT INTO failures (run_id, position, pk, owns_key, step, error_code, error_message, retry_count, failed_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    forgetAll: database.prepare(`${forgotten} WHERE sink = ?`),
  };
}
