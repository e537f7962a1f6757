import { DatabaseSync } from "node:sqlite";

/** A lock that is held until it is released or its process ends, however it ends. */
export interface FileLock {
  /** Releases the lock and leaves the file: if it were removed, two processes could hold two files of its name. */
  readonly release: () => Promise<void>;
}

/**
 * Takes the lock of a file, against this process and all others. It is SQLite's lock on an empty database, which the
 * operating system releases when the process ends. Undefined if the lock is held.
 *
 * A file system without locks grants it to everyone.
 */
export function lockFile(path: string): FileLock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    if (!isKind(error, ioError)) database.close();
    if (isKind(error, busy)) return undefined;
    if (!isKind(error, ioError)) throw error; // the file is not a lock of ours
  }
  return {
    release: async () => {
      if (database.isOpen) database.close();
    },
  };
}

// https://www.sqlite.org/rescode.html: the low byte is the kind.
const busy = 5;
const ioError = 10; // the answer of a file system without locks

function isKind(error: unknown, kind: number): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === kind;
}
