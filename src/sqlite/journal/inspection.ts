import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { requireFolder, requireWritable } from "../../files/writable.ts";
import { asJournalError } from "./failure.ts";
import { isThere } from "./open.ts";
import { holderOf, isLocked, openToRead, readRuns } from "./run-history.ts";
import type { PastRun } from "../../contracts/journal.ts";
import { keyOfSink } from "./schema.ts";

/** What a journal knows, as somebody sees it who only looks. */
export interface JournalFacts {
  /** How many rows it knows as written to the sink; 0 where it is not known what the sink is. */
  readonly writtenCount: number;
  readonly lastRun: PastRun | undefined;
  /** Who has it, in words; undefined where nobody does. */
  readonly holder: string | undefined;
}

/**
 * Looks into a journal: nothing is changed or made. Undefined where there is none yet.
 *
 * @throws {JournalError} if it is damaged, of a newer version or no journal, or can't be written or made
 */
export async function inspectJournal(
  given: string,
  sinkIdentity: string | undefined,
): Promise<JournalFacts | undefined> {
  try {
    await requireWritable(given);
    if (!(await isThere(given))) return undefined;
    const path = await realpath(given); // the lock and the log stand beside the file itself
    await requireFolder(dirname(path));
    const [lastRun] = await readRuns(path);
    const holder = (await isLocked(path)) ? await holderOf(path) : undefined;
    return { writtenCount: sinkIdentity === undefined ? 0 : countWritten(path, sinkIdentity), lastRun, holder };
  } catch (error) {
    throw asJournalError(given, error);
  }
}

function countWritten(path: string, sinkIdentity: string): number {
  const database = openToRead(path);
  try {
    const counting = database.prepare("SELECT count(*) AS count FROM rows WHERE sink = ? AND outcome = 'written'");
    return Number(counting.get(keyOfSink(sinkIdentity))?.["count"]);
  } finally {
    database.close();
  }
}
