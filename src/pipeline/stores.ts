import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import type { RunFacts } from "../contracts/journal.ts";
import { abandonAfterMs, within } from "../engine/shutdown.ts";
import { PayloadLog } from "../llm/call/payload-log.ts";
import type { Stores } from "./resolve.ts";

/** The stores that a run appends to; undefined where one is off. */
export interface OpenFiles {
  readonly payloadLog: PayloadLog | undefined;
  readonly deadLetter: DeadLetterSession | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Opens the payload log and the dead letters.
 *
 * @throws {PayloadLogError | DeadLetterError} if one can't be opened for writing: the other is closed
 */
export async function openFiles(stores: Stores, run: RunFacts, signal: AbortSignal): Promise<OpenFiles> {
  const { payloadLog: log, deadLetter: letters } = stores;
  const payloadLog = log === null ? undefined : await PayloadLog.open({ ...log, runId: run.runId });
  try {
    const deadLetter = await letters?.open(run, signal);
    const close = async (): Promise<void> => {
      // Every line in them was awaited, but for those of rows that were given up.
      await within(abandonAfterMs, Promise.allSettled([payloadLog?.close(), deadLetter?.close()]));
    };
    return { payloadLog, deadLetter, close };
  } catch (error) {
    await payloadLog?.close();
    throw error;
  }
}
