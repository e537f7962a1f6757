import type { Journal, JournalSession } from "../../src/contracts/journal.ts";

/** The look-ups that rows on their way make. */
export interface LookUp {
  readonly name: "answers" | "used" | "rows" | "failed";
  /** Fingerprints or primary keys. */
  readonly keys: readonly string[];
}

/** A journal whose look-ups cost a round trip, of which each is first told to a function, and waits for it. */
export function watchedJournal(journal: Journal, onLookUp: (lookUp: LookUp) => Promise<void> | void): Journal {
  return {
    name: journal.name,
    identity: journal.identity,
    reader: journal.reader,
    open: async (run, signal) => watchedSession(await journal.open(run, signal), onLookUp),
  };
}

function watchedSession(session: JournalSession, onLookUp: (lookUp: LookUp) => Promise<void> | void): JournalSession {
  const { answers, rows } = session;
  const told = async <Found>(name: LookUp["name"], keys: readonly string[], find: () => Promise<Found>) => {
    await onLookUp({ name, keys });
    return await find();
  };
  return {
    ...session,
    lookAheadRows: 1000,
    answers: {
      ...answers,
      find: async (keys) => await told("answers", keys, async () => await answers.find(keys)),
      findUsed: async (sink, keys) => await told("used", keys, async () => await answers.findUsed(sink, keys)),
    },
    rows: {
      ...rows,
      find: async (sink, keys) => await told("rows", keys, async () => await rows.find(sink, keys)),
      findFailed: async (sink, keys) => await told("failed", keys, async () => await rows.findFailed(sink, keys)),
    },
  };
}
