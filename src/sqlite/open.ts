import { stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { messageOf } from "../errors/thrown.ts";
import { isKind } from "./errors.ts";

const lockWaitMs = 5000;
const lockRetryMs = 20;

/** What the one who opens a database says when it can't be: a `SourceError` or a `SinkError`. */
export type Fail = (problem: string, options?: ErrorOptions) => Error;

/** Refuses a path at which there is no file: the driver would create a database there. */
export async function requireDatabaseFile(path: string, fail: Fail): Promise<void> {
  try {
    if ((await stat(path)).isFile()) return;
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR"))) {
      throw fail(`the database ${path} can't be opened (${messageOf(cause)})`, { cause });
    }
    throw fail(`there is no database file at ${path}; correct databasePath, or create the database first`, { cause });
  }
  throw fail(`${path} is not a file; databasePath must be that of a SQLite database`);
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
    if (isKind(cause, "notADatabase")) throw fail(`${path} is not a SQLite database (or is encrypted)`, { cause });
    throw fail(`the database ${path} can't be opened (${messageOf(cause)})`, { cause });
  }
}

/**
 * Tries again for up to 5 seconds while another connection holds a lock. SQLite's own busy timeout would block the
 * event loop for that long, and with it each model call in flight.
 *
 * @throws the driver's error if the lock is still held then; the signal's reason if that is aborted
 */
export async function untilUnlocked<Result>(
  attempt: () => Result,
  signal: AbortSignal,
  maxWaitMs: number = lockWaitMs,
): Promise<Result> {
  for (let waitedMs = 0; ; waitedMs += lockRetryMs) {
    try {
      return attempt();
    } catch (error) {
      if (!isKind(error, "busy") || waitedMs >= maxWaitMs) throw error;
    }
    signal.throwIfAborted(); // only who would wait is turned away: what is finished can still be written after an abort
    await sleep(lockRetryMs, signal);
  }
}

async function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(delayMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted(); // its own reason, not the timer's wrapping of it
    throw error;
  }
}
