import { stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { realPath } from "../files/real-path.ts";
import { type PassingError, retryPassing } from "../table/retry.ts";
import { errorNumberOf, isKind } from "./errors.ts";

/** Makes the error of the one who opens a database: a `SourceError` or a `SinkError`. */
export type Fail = (problem: string, options?: ErrorOptions) => Error;

/** Rejects a path at which there is no file: the driver would create a database there. */
export async function requireDatabaseFile(path: string, fail: Fail): Promise<void> {
  try {
    if ((await stat(path)).isFile()) return;
  } catch (cause) {
    const facts = { where: path, code: codeOf(cause) };
    if (facts.code !== "ENOENT" && facts.code !== "ENOTDIR") {
      throw fail(`the database ${path} can't be opened (${messageOf(cause)})`, { cause, facts });
    }
    const hint = "correct databasePath, or create the database first";
    throw fail(`there is no database file at ${path}`, { cause, facts: { ...facts, hint } });
  }
  const hint = "databasePath must be that of a SQLite database";
  throw fail(`${path} is not a file`, { facts: { where: path, isFile: false, hint } });
}

/** The files that SQLite keeps of a database: beside the file itself, also where the path is a link. */
export function databaseFilesOf(path: string): readonly string[] {
  const real = realPath(path);
  return ["", "-wal", "-shm", "-journal"].map((ending) => `${real}${ending}`);
}

/** Opens a database that exists. Throws the driver's error if it is locked: see {@link untilUnlocked}. */
export function openDatabase(path: string, readOnly: boolean, fail: Fail): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly });
    database.prepare("PRAGMA schema_version").get(); // opening reads nothing yet
    return database;
  } catch (cause) {
    database?.close();
    if (isKind(cause, "busy")) throw cause;
    const facts = { where: path, errorNumber: errorNumberOf(cause) };
    if (isKind(cause, "notADatabase")) {
      throw fail(`${path} is not a SQLite database (or is encrypted)`, { cause, facts });
    }
    throw fail(`the database ${path} can't be opened (${messageOf(cause)})`, { cause, facts });
  }
}

/** How long a lock of another connection is waited for where nothing else is said, and how often it is looked at. */
export const lockWait = { patienceMs: 60_000, retryDelaysMs: { shortest: 20, longest: 100 } } as const;

/**
 * Tries again while another connection holds a lock. SQLite's own busy timeout would block the
 * event loop for that long, and with it each model call in flight.
 *
 * @throws the driver's error if the lock is still held then; the signal's reason if that is aborted
 */
export async function untilUnlocked<Result>(
  attempt: () => Result | Promise<Result>,
  signal: AbortSignal,
  patienceMs: number = lockWait.patienceMs,
): Promise<Result> {
  return await retryPassing(attempt, { signal, patienceMs, delaysMs: lockWait.retryDelaysMs, passing });
}

function passing(error: unknown): PassingError | undefined {
  return isKind(error, "busy") ? {} : undefined;
}

/** Rejects a database that takes no writes, by writing what is there already. */
export function requireWritable(database: DatabaseSync, path: string, fail: Fail): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  try {
    database.exec("BEGIN IMMEDIATE");
    database.exec(`PRAGMA user_version = ${version}`); // only a write tells
  } catch (cause) {
    if (!isKind(cause, "readOnly")) throw cause;
    const facts = {
      where: path,
      errorNumber: errorNumberOf(cause),
      hint: "look at the permissions of the file and its folder",
    };
    throw fail(`the database ${path} is read-only`, { cause, facts });
  } finally {
    if (database.isTransaction) database.exec("ROLLBACK");
  }
}

/** Sets the database to WAL, which it then stays in: readers and one writer don't wait for each other. */
export function setWAL(database: DatabaseSync, path: string, fail: Fail): void {
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
  database.exec("PRAGMA synchronous = FULL");
  if (mode === "wal") return;
  const journalMode = String(mode);
  const hint = "its file system must support shared memory (a network drive does not)";
  const problem = `the database ${path} can't be set to WAL, its journal mode stays "${journalMode}"`;
  throw fail(problem, { facts: { where: path, journalMode, hint } });
}
