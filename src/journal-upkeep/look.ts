import type { Journal, JournalReader, JournalSession } from "../contracts/journal.ts";
import type { JournalContents, JournalUpkeep } from "../contracts/journal-upkeep.ts";
import { JournalError } from "../errors/journal.ts";

/** A look into a journal that tells all that it holds. */
export interface Look extends JournalReader {
  readonly contents: JournalContents;
}

/**
 * Looks into a journal, and closes it.
 *
 * @throws {JournalError} if it is not there, or is of a kind that does not tell what it holds
 */
export async function withLook<Result>(
  { identity, name, reader: open }: Journal,
  work: (look: Look) => Promise<Result>,
): Promise<Result> {
  const reader = await open();
  if (reader === undefined) {
    const hint = "run the pipeline first, or put the journal back if it was moved";
    throw new JournalError(identity, "is not there yet", { facts: { problem: "missing", hint } });
  }
  try {
    const { contents } = reader;
    if (contents === undefined) throw unsupported(identity, name);
    return await work({ ...reader, contents });
  } finally {
    await reader.close();
  }
}

/**
 * Does work while no run uses a journal, and releases it.
 *
 * @throws {JournalInUseError} if a run holds it
 * @throws {JournalError} if it is of a kind that can't be held for that
 */
export async function whileHeld<Result>(
  { identity, name, upkeep: hold }: Journal,
  signal: AbortSignal,
  work: (upkeep: JournalSession & JournalUpkeep) => Promise<Result>,
): Promise<Result> {
  if (hold === undefined) throw unsupported(identity, name);
  const upkeep = await hold(signal);
  try {
    return await work(upkeep);
  } finally {
    await upkeep.close();
  }
}

/** The error of a kind of journal that leaves out what the commands need: an option of the contract. */
function unsupported(identity: string, name: string): JournalError {
  const hint =
    "give the kind of journal `contents` and `upkeep` (contracts/journal-upkeep.ts), or use one of llm-etl's own";
  return new JournalError(identity, `is a ${name}, which does not let llm-etl journal look into it or change it`, {
    facts: { problem: "unsupported", hint },
  });
}
