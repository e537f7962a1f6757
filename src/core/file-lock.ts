import { rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";

/** A lock that is held until it is released or its process ends, however it ends. */
export interface FileLock {
  /** Lets go of it and removes the file, or leaves that where others may be about to take it. */
  readonly release: (options?: { readonly keepFile: boolean }) => Promise<void>;
}

/**
 * Takes the lock that a file stands for, in this process and among all: SQLite's lock on an empty database, which the
 * operating system lets go of when the process ends. Undefined if somebody holds it.
 *
 * A file system without locks grants it to everyone.
 */
export function lockFile(path: string): FileLock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    if (isBusy(error)) {
      database.close();
      return undefined;
    }
    // Without locks there is nothing to hold.
  }
  return {
    release: async ({ keepFile } = { keepFile: false }) => {
      if (!database.isOpen) return;
      database.close();
      if (!keepFile) await rm(path, { force: true });
    },
  };
}

/** SQLITE_BUSY: somebody else holds it (https://www.sqlite.org/rescode.html: the low byte is the kind). */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === 5;
}
