import { DatabaseSync } from "node:sqlite";

/** A lock that is held until it is released or its process ends, however it ends. */
export interface FileLock {
  /** The file stays: between its removal and the next holder's, two could hold locks on two files of its name. */
  readonly release: () => Promise<void>;
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
    if (!isKind(error, ioError)) database.close();
    if (isKind(error, busy)) return undefined;
    if (!isKind(error, ioError)) throw error; // it is no file of ours
    // Without locks there is nothing to hold.
  }
  return {
    release: async () => {
      if (database.isOpen) database.close();
    },
  };
}

// https://www.sqlite.org/rescode.html: the low byte is the kind.
const busy = 5;
const ioError = 10; // what a file system without locks answers

function isKind(error: unknown, kind: number): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === kind;
}
