import { existsSync } from "node:fs";
import { chmod, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { JournalError, JournalInUseError } from "../../errors/journal.ts";
import { type FileLock, lockFile } from "../../files/file-lock.ts";
import { journalFolder } from "../../files/paths.ts";
import { isMountPoint } from "../../files/mount-point.ts";
import { makePrivate } from "../../files/private-file.ts";
import { statusOf } from "../../files/same-file.ts";
import { asJournalError } from "./failure.ts";
import { holderOf, isThere } from "./reading.ts";
import { migrate } from "./schema.ts";

/** Somebody who only looks whether the lock is held has it for a moment. */
const lockAttempts = 10;
const lockRetryMs = 30;

/**
 * Takes the journal for this process, until it ends, however it ends; makes its folder.
 *
 * @throws {JournalInUseError} if a run holds it: with its process and start
 * @throws {JournalError} if the folder can't be written
 */
export async function lockJournal(path: string, signal: AbortSignal): Promise<FileLock> {
  try {
    await makeFolder(dirname(path));
    for (let attempt = 1; attempt <= lockAttempts; attempt += 1) {
      const lock = lockFile(`${path}.lock`, "reject");
      if (lock !== undefined) return lock;
      if (signal.aborted) break;
      await setTimeout(lockRetryMs);
    }
  } catch (error) {
    throw asJournalError(path, error);
  }
  throw new JournalInUseError(path, holderOf(path));
}

/** A journal holds what rows and answers hold: it is kept out of version control. */
async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const ignoreFile = join(folder, ".gitignore");
  if (basename(folder) === journalFolder && !existsSync(ignoreFile)) await writeFile(ignoreFile, "*\n");
}

/**
 * Opens the journal whose lock is held, in the newest version; makes it where there is none. Throws the driver's error if another
 * program has locked the database.
 *
 * @throws {JournalError} if it has a second name, or is damaged
 */
export async function openJournal(path: string): Promise<DatabaseSync> {
  requireOneName(path);
  if (await isThere(path)) await makeOwn(path);
  else await make(path);
  const database = new DatabaseSync(path); // it waits for no lock: who waits, sleeps
  try {
    migrate(database, path);
    // WAL commits survive the process; the journal itself syncs them to the disk, off the event loop's thread.
    database.exec("PRAGMA synchronous = NORMAL; PRAGMA journal_mode = WAL; PRAGMA cache_size = -8192");
    database.exec("PRAGMA user_version"); // the log exists from the first read on
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Takes the journal from others who could read it: it holds what rows and answers hold. */
async function makeOwn(path: string): Promise<void> {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statusOf(file)?.mode;
    if (mode !== undefined)
      await makePrivate({ chmod: async (newMode) => await chmod(file, newMode) }, file, Number(mode));
  }
}

/**
 * Makes sure that the journal has no second name, under which another run would not meet its lock.
 *
 * @throws {JournalError} if the file has several hard links, or is mounted without its folder
 */
export function requireOneName(path: string): void {
  if (isMountPoint(path)) {
    const facts = { problem: "mounted", hint: "mount its folder: its log and its lock stand beside it" };
    throw new JournalError(path, "is mounted as a single file", { facts });
  }
  const names = Number(statusOf(path)?.nlink ?? 1n);
  if (names <= 1) return;
  const hint =
    "remove the others: under each of them a run would have a lock and a log of its own, and damage the journal";
  throw new JournalError(path, `has ${names} names (hard links)`, { facts: { problem: "linked", names, hint } });
}

async function make(path: string): Promise<void> {
  const unfinished = `${path}.new`;
  // What a journal that was removed has left would be taken for this one's log.
  for (const leftover of [unfinished, `${unfinished}-wal`, `${unfinished}-shm`, `${path}-wal`, `${path}-shm`]) {
    await rm(leftover, { force: true });
  }
  await (await open(unfinished, "wx", 0o600)).close(); // SQLite gives its side files the same mode
  await chmod(unfinished, 0o600);
  const database = new DatabaseSync(unfinished);
  try {
    database.exec("PRAGMA journal_mode = WAL");
    migrate(database, path);
  } finally {
    database.close();
  }
  await rename(unfinished, path);
}
