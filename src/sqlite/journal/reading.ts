import { existsSync, realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { RunRecord } from "../../contracts/journal.ts";
import { lockFile } from "../../files/file-lock.ts";
import { damagedError } from "./failure.ts";
import { requireJournal } from "./schema.ts";

/** In bytes (https://www.sqlite.org/fileformat2.html, "Pages"). */
const smallestPage = 512;

/** @throws {JournalError} if what is there is cut off */
export async function isThere(path: string): Promise<boolean> {
  const size = (await stat(path).catch(ifMissing))?.size;
  // What we make has its tables before it has its name; SQLite takes what is shorter than a page for an empty database.
  if (size !== undefined && size < smallestPage)
    throw damagedError(path, `has ${size} bytes: it is damaged`, { bytes: size });
  return size !== undefined;
}

/**
 * Works with a connection that changes nothing, also where a run writes at the same time. It is opened for this work
 * alone: a run may begin after it, or another file take this one's place.
 *
 * @throws {JournalError} if it is no journal, or of a version that is not known; and what the driver says
 */
export function reading<Result>(path: string, work: (database: DatabaseSync) => Result): Result {
  const file = realpathSync(path); // the log stands beside the file itself
  const url = pathToFileURL(file);
  // Without a log nobody writes to it; "immutable" keeps SQLite from making one in order to read.
  if (!existsSync(`${file}-wal`)) url.searchParams.set("immutable", "1");
  const database = new DatabaseSync(url, { readOnly: true, timeout: 1000 });
  try {
    requireJournal(database, path);
    return work(database);
  } finally {
    database.close();
  }
}

/** True while a run holds the journal. Takes the lock for a moment where none does. */
export async function isHeld(path: string): Promise<boolean> {
  const lockPath = `${realpathSync(path)}.lock`;
  if (!existsSync(lockPath)) return false;
  const lock = lockFile(lockPath);
  await lock?.release();
  return lock === undefined;
}

/** The run that holds the journal, in words. */
export function holderOf(path: string): string {
  try {
    const newest = reading(path, (database) => {
      return database.prepare("SELECT record FROM runs ORDER BY number DESC LIMIT 1").get();
    });
    if (newest !== undefined) return inWords(toRunRecord(newest["record"]));
  } catch {
    // It is being made, or can't be read: that it is held is known all the same.
  }
  return "another process";
}

function inWords({ status, processId, host, startedAt }: RunRecord): string {
  if (status !== "running") return "another process";
  return `process ${processId} on ${host}, whose run started at ${startedAt.toISOString()}`;
}

/** A run as it was saved; 0.1 kept less of it. */
type StoredRun = Omit<RunRecord, NewFields> & Partial<Pick<RunRecord, NewFields>>;
type NewFields = "version" | "options" | "steps";

/** A run as its line in the journal says it. */
export function toRunRecord(text: unknown): RunRecord {
  const record: StoredRun = JSON.parse(String(text)); // saved by a session of this version or of an older one
  const { startedAt, endedAt, version = null, options = {}, steps = [] } = record;
  return withPending({
    ...record,
    startedAt: new Date(startedAt),
    endedAt: endedAt === null ? null : new Date(endedAt),
    version,
    options,
    steps,
  });
}

/** Of a run that has not ended the rows in flight are pending, so that its counts add up, too. */
function withPending(run: RunRecord): RunRecord {
  if (run.status !== "running") return run;
  const { readCount, successCount, failureCount, skippedCount } = run.figures;
  return { ...run, figures: { ...run.figures, pendingCount: readCount - successCount - failureCount - skippedCount } };
}

function ifMissing(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
