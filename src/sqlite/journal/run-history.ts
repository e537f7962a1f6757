import type { PastRun, RunRecord } from "../../contracts/journal.ts";
import { existsSync, realpathSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { lockFile } from "../../files/file-lock.ts";
import { asJournalError } from "./failure.ts";
import { requireJournal } from "./schema.ts";

/**
 * The runs in a journal, the newest first; also while a run writes to it.
 *
 * @throws {JournalError} if it can't be read
 */
export async function readRuns(path: string): Promise<readonly PastRun[]> {
  let isInUse: boolean;
  try {
    isInUse = await isLocked(path);
  } catch (error) {
    throw asJournalError(path, error);
  }
  const [newest, ...others] = recordsIn(path);
  return newest === undefined ? [] : [isInUse ? newest : settle(newest), ...others.map(settle)];
}

/** Of a run that nobody is at any more, what its last word means. */
function settle(run: RunRecord): PastRun {
  return run.status === "running" ? { ...run, status: "interrupted" } : run;
}

/** Of a run that has not ended the rows in flight are pending, so that its counts add up, too. */
function withPending(run: RunRecord): RunRecord {
  if (run.status !== "running") return run;
  const { readCount, successCount, failureCount, skippedCount } = run.figures;
  return { ...run, figures: { ...run.figures, pendingCount: readCount - successCount - failureCount - skippedCount } };
}

/** Who has the journal, in words. */
export async function holderOf(path: string): Promise<string> {
  let newest: RunRecord | undefined;
  try {
    [newest] = recordsIn(path);
  } catch {
    return "another process"; // it is being made, or can't be read: that it is held is known all the same
  }
  if (newest === undefined || newest.status !== "running") return "another process";
  const { processId, host, startedAt } = newest;
  return `process ${processId} on ${host}, whose run started at ${startedAt.toISOString()}`;
}

/** A run as its line in the journal says it. */
export function toRunRecord(text: unknown): RunRecord {
  const record: RunRecord = JSON.parse(String(text)); // written by this journal's keepRun, in this version of the format
  const { startedAt, endedAt } = record;
  return withPending({
    ...record,
    startedAt: new Date(startedAt),
    endedAt: endedAt === null ? null : new Date(endedAt),
  });
}

function recordsIn(path: string): readonly RunRecord[] {
  let database: DatabaseSync | undefined;
  try {
    database = openToRead(path);
    return database
      .prepare("SELECT record FROM runs ORDER BY number DESC")
      .all()
      .map(({ record }) => toRunRecord(record));
  } catch (error) {
    throw asJournalError(path, error);
  } finally {
    database?.close();
  }
}

/**
 * A connection that changes nothing, also where a run writes at the same time.
 *
 * @throws {JournalError} if it is no journal, or of a version that is not known; and what the driver says
 */
export function openToRead(path: string): DatabaseSync {
  const file = realpathSync(path); // the log stands beside the file itself
  const url = pathToFileURL(file);
  // Without a log nobody is at it; SQLite, which would make one to read, is told that nobody will be.
  if (!existsSync(`${file}-wal`)) url.searchParams.set("immutable", "1");
  const database = new DatabaseSync(url, { readOnly: true, timeout: 1000 });
  try {
    requireJournal(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Whether a run has the journal. Takes the lock for a moment where none has. */
export async function isLocked(path: string): Promise<boolean> {
  if (!existsSync(`${path}.lock`)) return false;
  const lock = lockFile(`${path}.lock`);
  await lock?.release();
  return lock === undefined;
}
