import type { FileHandle } from "node:fs/promises";
import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";

/** How often another program's lock is looked at, in milliseconds. */
const busyRetryMs = 50;

/** How long what was committed may be in the operating system's hands alone, in milliseconds. */
const syncEveryMs = 100;

export interface GroupCommitOptions {
  readonly database: DatabaseSync;
  /** The database's write-ahead log. */
  readonly log: FileHandle;
  /** Called after each commit. */
  readonly onCommit: () => void;
  /** Called where a transaction was undone. */
  readonly onUndone: () => void;
  readonly asError: (cause: unknown) => LLMEtlError;
  /** True if another program writes to the database at the moment. */
  readonly isBusy: (error: unknown) => boolean;
  /** How long another program's lock is waited for, in milliseconds. */
  readonly busyTimeoutMs: number;
  /** Called before each commit. Where it throws, nothing is committed. */
  readonly beforeCommit: () => void;
}

interface Waiting {
  readonly work: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes that are committed on the next turn of the event loop, all that has gathered in one transaction: they are then
 * safe from any death of the process. The log is synced to the disk every tenth of a second, and not waited for, so a power cut can
 * take that much along; what it takes is asked and written again.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  #waiting: Waiting[] = [];
  /** Since when another program has kept this from writing, by `performance.now`. */
  #busySinceMs: number | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#begin = options.database.prepare("BEGIN");
    this.#end = options.database.prepare("COMMIT");
  }

  read<Found>(find: () => Found): Found {
    try {
      // What is read between two commits is read in one transaction: each of its own would cost more than the reading.
      if (!this.#options.database.isTransaction) this.#begin.run();
      return find();
    } catch (error) {
      throw this.#options.asError(error);
    }
  }

  async save(work: () => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      if (this.#waiting.push({ work, resolve, reject }) === 1) setImmediate(this.#commit);
    });
  }

  /** Commits what still waits, and closes the database after the last work. */
  async close(lastWork: () => void): Promise<void> {
    const { database, log } = this.#options;
    for (this.#commit(); this.#waiting.length > 0; this.#commit()) await setTimeoutPromise(busyRetryMs);
    clearTimeout(this.#syncTimer);
    try {
      this.#endTransaction();
      lastWork();
    } catch {
      this.#endTransaction(); // whoever had something to save was told
    }
    try {
      database.close(); // brings the log into the file, and removes it
    } finally {
      await this.#syncing;
      await log.close();
    }
  }

  /** Commits all that waits, in one transaction. */
  readonly #commit = (): void => {
    const { database, onCommit, onUndone, asError, beforeCommit } = this.#options;
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    try {
      // What reading began goes on as a write: nobody else writes, so that what was read is still so.
      if (!database.isTransaction) this.#begin.run();
      for (const { work } of group) work();
      beforeCommit();
      this.#end.run();
      onCommit();
      this.#busySinceMs = undefined;
    } catch (error) {
      const failure = asError(error);
      this.#endTransaction();
      onUndone();
      if (this.#waitsOut(error, group)) return;
      for (const { reject } of group) reject(failure);
      return;
    }
    for (const { resolve } of group) resolve();
    this.#syncTimer ??= setTimeout(this.#sync, syncEveryMs).unref();
  };

  /** Tries a group again later where another program writes: by sleeping, for SQLite's own wait would hold up every call in flight. */
  #waitsOut(error: unknown, group: readonly Waiting[]): boolean {
    if (!this.#options.isBusy(error)) return false;
    const now = performance.now();
    this.#busySinceMs ??= now;
    if (now - this.#busySinceMs >= this.#options.busyTimeoutMs) return false;
    this.#waiting = [...group, ...this.#waiting];
    setTimeout(this.#commit, busyRetryMs);
    return true;
  }

  /** Ends what reading began, or writing left: nothing of it is to stay. */
  #endTransaction(): void {
    const { database } = this.#options;
    if (database.isOpen && database.isTransaction) database.exec("ROLLBACK");
  }

  /** Tells the disk to keep what was committed: off this thread. */
  readonly #sync = (): void => {
    this.#syncTimer = undefined; // what is committed from now on is for the next one
    const before = this.#syncing;
    this.#syncing = (async () => {
      await before;
      try {
        await this.#options.log.datasync();
      } catch {
        // The next commit, or closing, meets the same disk and says so.
      }
    })();
  };
}
