import type { Journal } from "../contracts/journal.ts";
import type { DeadLetter } from "../contracts/dead-letter.ts";
import { DeadLetterFile, type DeadLetterRun } from "../dead-letter/file.ts";
import { SQLiteJournal } from "../journals/sqlite.ts";
import { PayloadLog } from "../llm/call/payload-log.ts";
import type { Stores } from "./resolve.ts";

/** The files that a run appends to; undefined where they are off. */
export interface OpenFiles {
  readonly payloadLog: PayloadLog | undefined;
  readonly deadLetter: DeadLetter | undefined;
  readonly close: () => Promise<void>;
}

/** @throws {JournalError} as the journal says */
export async function openJournal({ journalPath }: Stores): Promise<Journal | undefined> {
  return journalPath === null ? undefined : await SQLiteJournal.open(journalPath);
}

/**
 * Opens the payload log and the dead letter file.
 *
 * @throws {PayloadLogError | DeadLetterError} if one can't be opened for writing: the other is closed
 */
export async function openFiles({ payloadLog: log, deadLetterPath }: Stores, run: DeadLetterRun): Promise<OpenFiles> {
  const payloadLog = log === null ? undefined : await PayloadLog.open({ ...log, runId: run.runId });
  try {
    const deadLetter = deadLetterPath === null ? undefined : await DeadLetterFile.open(deadLetterPath, run);
    const close = async (): Promise<void> => {
      await Promise.allSettled([payloadLog?.close(), deadLetter?.close()]); // every line in them was awaited
    };
    return { payloadLog, deadLetter, close };
  } catch (error) {
    await payloadLog?.close();
    throw error;
  }
}
