import { existsSync } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import type { DatabaseSync } from "node:sqlite";
import { fromExactText, toExactText } from "../files/exact-text.ts";
import type { FileLock } from "../files/file-lock.ts";
import type { BadRow, Journal, RunRecord, StoredAnswer, WrittenRow } from "../contracts/journal.ts";
import { Answers } from "../sqlite/journal/answers.ts";
import { asJournalError } from "../sqlite/journal/failure.ts";
import { lockJournal, openJournal } from "../sqlite/journal/open.ts";
import { toRunRecord } from "../sqlite/journal/run-history.ts";
import { keyOfSink } from "../sqlite/journal/schema.ts";

/** How long what was committed may be in the operating system's hands alone, in milliseconds. */
const syncEveryMs = 100;

interface Waiting {
  readonly work: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The journal in one SQLite file (WAL, mode 0600), locked for this process.
 *
 * Whatever is to be kept is committed on the next turn of the event loop, all that has gathered in one transaction: it is
 * then safe from any death of the process. The disk is told every tenth of a second, and not waited for, so a power cut
 * can take that much along; what it takes is asked and written again.
 */
export class SQLiteJournal implements Journal {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #lock: FileLock;
  readonly #log: FileHandle;
  readonly #answers: Answers;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #sinks = new Map<string, Buffer>();
  #waiting: Waiting[] = [];
  #syncTimer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;

  private constructor(path: string, database: DatabaseSync, lock: FileLock, log: FileHandle) {
    this.#path = path;
    this.#database = database;
    this.#lock = lock;
    this.#log = log;
    this.#answers = new Answers(database);
    this.#statements = prepare(database);
  }

  /**
   * Opens the journal, or makes it.
   *
   * @throws {JournalError} if it is damaged, of a newer version or no journal, or its folder does not let it be written
   * @throws {JournalInUseError} if a run has it: with the process and its start
   */
  static async open(given: string): Promise<SQLiteJournal> {
    const path = existsSync(given) ? await realpath(given) : given; // the lock and the log stand beside the file itself
    const lock = await lockJournal(path);
    let database: DatabaseSync | undefined;
    try {
      database = await openJournal(path);
      return new SQLiteJournal(path, database, lock, await open(`${path}-wal`, "r+"));
    } catch (error) {
      database?.close();
      await lock.release();
      throw asJournalError(path, error);
    }
  }

  async answer(fingerprint: string): Promise<StoredAnswer | undefined> {
    return this.#read(() => this.#answers.find(fingerprint));
  }

  async keepAnswer(fingerprint: string, answer: StoredAnswer): Promise<void> {
    await this.#keep(() => this.#answers.keep(fingerprint, answer));
  }

  async forgetAnswers(fingerprints: readonly string[]): Promise<void> {
    await this.#keep(() => {
      for (const fingerprint of fingerprints) this.#answers.forget(fingerprint);
    });
  }

  async writtenRow(sink: string, pk: string): Promise<WrittenRow | undefined> {
    const found = this.#read(() => this.#statements.writtenRow.get(this.#keyOf(sink), toExactText(pk)));
    if (found === undefined) return undefined;
    return {
      pk,
      targetKey: found["target_key"] === null ? pk : fromExactText(found["target_key"]),
      valuesHash: found["values_hash"] instanceof Uint8Array ? Buffer.from(found["values_hash"]).toString("hex") : "",
      runId: String(found["run_id"]),
      startedAt: new Date(Number(found["started_at"])),
      completedAt: new Date(Number(found["completed_at"])),
      lineage: JSON.parse(String(found["lineage"])),
    };
  }

  async keepWrittenRows(sink: string, rows: readonly WrittenRow[]): Promise<void> {
    await this.#keep(() => {
      const key = this.#keyOf(sink);
      for (const { pk, targetKey, valuesHash, runId, startedAt, completedAt, lineage } of rows) {
        const otherKey = targetKey === pk ? null : toExactText(targetKey);
        this.#statements.forgetByKey.run(key, toExactText(targetKey), toExactText(pk));
        if (otherKey !== null) this.#statements.forgetByPk.run(key, otherKey);
        const times = [startedAt.getTime(), completedAt.getTime()];
        const digest = Buffer.from(valuesHash, "hex");
        this.#statements.keepWritten.run(
          key,
          toExactText(pk),
          runId,
          otherKey,
          digest,
          ...times,
          JSON.stringify(lineage),
        );
      }
    });
  }

  async keepBadRow(sink: string, { pk, errorCode, runId }: BadRow): Promise<void> {
    await this.#keep(() => this.#statements.keepBad.run(this.#keyOf(sink), toExactText(pk), runId, errorCode));
  }

  async hasWrittenRows(sink: string): Promise<boolean> {
    return this.#read(() => this.#statements.anyWritten.get(this.#keyOf(sink))) !== undefined;
  }

  async forgetRows(sink: string): Promise<void> {
    await this.#keep(() => this.#statements.forgetRows.run(this.#keyOf(sink)));
  }

  async keepRun(run: RunRecord): Promise<void> {
    await this.#keep(() => this.#statements.keepRun.run(run.runId, JSON.stringify(run)));
  }

  async runs(): Promise<readonly RunRecord[]> {
    return this.#read(() => this.#statements.runs.all().map(({ record }) => toRunRecord(record)));
  }

  /** Keeps what still waits, and lets go of the file. */
  async close(): Promise<void> {
    if (!this.#database.isOpen) return;
    clearTimeout(this.#syncTimer);
    this.#commit();
    try {
      this.#endTransaction();
      this.#answers.index(1); // so that the next run need not
    } catch {
      this.#endTransaction(); // it will read what the index lacks; whoever had something to keep was told
    }
    try {
      await this.#syncing;
      await this.#log.close();
    } finally {
      this.#database.close(); // brings the log into the file, and removes it
      await this.#lock.release();
    }
  }

  #read<Found>(find: () => Found): Found {
    try {
      // What is read between two commits is read in one transaction: each of its own would cost more than the reading.
      if (!this.#database.isTransaction) this.#statements.begin.run();
      return find();
    } catch (error) {
      throw asJournalError(this.#path, error);
    }
  }

  async #keep(work: () => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      if (this.#waiting.push({ work, resolve, reject }) === 1) setImmediate(this.#commit);
    });
  }

  /** Commits all that waits, in one transaction. */
  readonly #commit = (): void => {
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    try {
      // What reading began goes on as a write: nobody else writes, so that what was read is still so.
      if (!this.#database.isTransaction) this.#statements.begin.run();
      for (const { work } of group) work();
      this.#statements.commit.run();
      this.#answers.index();
    } catch (error) {
      const failure = asJournalError(this.#path, error);
      this.#endTransaction();
      for (const { reject } of group) reject(failure);
      return;
    }
    for (const { resolve } of group) resolve();
    this.#syncTimer ??= setTimeout(this.#sync, syncEveryMs).unref();
  };

  /** Ends what reading began, or writing left: nothing of it is to stay. */
  #endTransaction(): void {
    if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
  }

  /** Tells the disk to keep what was committed: off this thread. */
  readonly #sync = (): void => {
    this.#syncTimer = undefined; // what is committed from now on is for the next one
    const before = this.#syncing;
    this.#syncing = (async () => {
      await before;
      try {
        await this.#log.datasync();
      } catch {
        // The next commit, or closing, meets the same disk and says so.
      }
    })();
  };

  #keyOf(identity: string): Buffer {
    const key = this.#sinks.get(identity) ?? keyOfSink(identity);
    this.#sinks.set(identity, key);
    return key;
  }
}

function prepare(database: DatabaseSync) {
  return {
    begin: database.prepare("BEGIN"),
    commit: database.prepare("COMMIT"),
    writtenRow: database.prepare("SELECT * FROM rows WHERE sink = ? AND pk = ? AND outcome = 'written'"),
    keepWritten: database.prepare("INSERT OR REPLACE INTO rows VALUES (?, ?, 'written', ?, NULL, ?, ?, ?, ?, ?)"),
    forgetByKey: database.prepare(
      "DELETE FROM rows INDEXED BY rows_by_target_key WHERE sink = ? AND target_key = ? AND pk <> ?",
    ),
    forgetByPk: database.prepare("DELETE FROM rows WHERE sink = ? AND pk = ? AND target_key IS NULL"),
    keepBad: database.prepare(
      "INSERT OR REPLACE INTO rows VALUES (?, ?, 'failed', ?, ?, NULL, NULL, NULL, NULL, NULL)",
    ),
    anyWritten: database.prepare("SELECT 1 FROM rows WHERE sink = ? AND outcome = 'written' LIMIT 1"),
    forgetRows: database.prepare("DELETE FROM rows WHERE sink = ?"),
    keepRun: database.prepare(
      "INSERT INTO runs (run_id, record) VALUES (?, ?) ON CONFLICT (run_id) DO UPDATE SET record = excluded.record",
    ),
    runs: database.prepare("SELECT record FROM runs ORDER BY number DESC"),
  };
}
