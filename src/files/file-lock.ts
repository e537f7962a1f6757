import { DatabaseSync } from "node:sqlite";
import { FileError } from "./file-error.ts";

/** A lock that is held until it is released or its process ends, however it ends. */
export interface FileLock {
  /** Releases the lock and leaves the file: if it were removed, two processes could hold two files of its name. */
  readonly release: () => Promise<void>;
}

/** A file system without locks grants one to everyone, and a warning says so, or to nobody, with an error. */
export type WithoutLocks = "warn" | "reject";

/**
 * Takes the lock of a file, against this process and all others. Undefined if the lock is held.
 *
 * @throws {FileError} for a file that is no lock (LOCK_DAMAGED), one that can't be opened (LOCK_INACCESSIBLE), and with `reject` a
 * file system without locks (NO_LOCKS)
 */
export function lockFile(path: string, withoutLocks: WithoutLocks = "warn"): FileLock | undefined {
  const lock = new OpenLock(path, withoutLocks);
  if (!lock.take()) {
    lock.close();
    return undefined;
  }
  return { release: async () => lock.close() };
}

/**
 * The lock of a file, to be taken again and again. It is SQLite's lock on an empty database, which the operating system
 * releases when the process ends.
 */
export class OpenLock {
  readonly #path: string;
  readonly #withoutLocks: WithoutLocks;
  readonly #database: DatabaseSync;
  #isPrepared = false;

  /** @throws {FileError} as {@link lockFile} */
  constructor(path: string, withoutLocks: WithoutLocks = "warn") {
    this.#path = path;
    this.#withoutLocks = withoutLocks;
    try {
      this.#database = new DatabaseSync(path);
    } catch (error) {
      throw lockError(error, path);
    }
  }

  /** True if it is held from now on. @throws {FileError} as {@link lockFile} */
  take(): boolean {
    try {
      // Nothing is written: without this SQLite makes a journal beside the file each time. It meets the lock of others, too.
      if (!this.#isPrepared) this.#database.exec("PRAGMA journal_mode = MEMORY");
      this.#isPrepared = true;
      this.#database.exec("BEGIN EXCLUSIVE");
      return true;
    } catch (error) {
      if (isKind(error, busy)) return false;
      if (isKind(error, ioError) && this.#withoutLocks === "warn") {
        warnOfNoLocks(this.#path);
        return true;
      }
      this.close();
      throw lockError(error, this.#path);
    }
  }

  free(): void {
    if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

// https://www.sqlite.org/rescode.html: the low byte is the kind.
const busy = 5;
const readOnly = 8;
const ioError = 10; // the answer of a file system without locks
const cantOpen = 14;
const notADatabase = 26;

function isKind(error: unknown, kind: number): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === kind;
}

/** The error of a lock that can't be taken, though nobody holds it. */
export function lockError(error: unknown, path: string): unknown {
  if (isKind(error, notADatabase)) {
    const advice = "remove it while no run is going on";
    return new FileError("LOCK_DAMAGED", `the lock file ${path} is damaged, or no lock file: ${advice}`);
  }
  if (isKind(error, ioError)) {
    const advice = "put it on a local disk";
    return new FileError("NO_LOCKS", `the lock file ${path} can't be locked, its file system has no locks: ${advice}`);
  }
  if (!isKind(error, cantOpen) && !isKind(error, readOnly)) return error;
  return new FileError("LOCK_INACCESSIBLE", `the lock file ${path} can't be opened: check who may write to it`);
}

const warned = new Set<string>();

/** Says once that two runs are not kept apart. */
function warnOfNoLocks(path: string): void {
  if (warned.has(path)) return;
  warned.add(path);
  const problem = `${path}: the file system has no locks, so that two runs at the same time are not kept apart`;
  process.emitWarning(problem, { type: "LLMEtlWarning", code: "LLM_ETL_NO_LOCKS" });
}
