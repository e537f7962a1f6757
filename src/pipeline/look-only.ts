import type { Journal, JournalSession } from "../contracts/journal.ts";
import type { RowGroup, Sink } from "../contracts/sink.ts";

const nothing = async (): Promise<void> => {};

/** A session in which all that is there is found, and nothing is saved or forgotten. */
export function lookOnlySession(session: JournalSession): JournalSession {
  const { answers, rows, children, runs, watermarks } = session;
  return {
    ...session,
    answers: { ...answers, save: nothing, forget: nothing, saveUsed: nothing },
    rows: { ...rows, saveWritten: nothing, saveFailed: nothing, forgetAll: nothing },
    children: { ...children, save: nothing },
    runs: {
      ...runs,
      save: nothing,
      saveRows: nothing,
      saveAttempts: nothing,
      saveTimeline: nothing,
      saveValues: nothing,
    },
    watermarks: { ...watermarks, save: nothing, forget: nothing },
  };
}

/** The journal with a session that is open already, and stays open. */
export function heldJournal(journal: Journal, session: JournalSession): Journal {
  const { name, identity, requirements, files, reader } = journal;
  const open = async (): Promise<JournalSession> => await Promise.resolve({ ...session, close: nothing });
  return { name, identity, requirements, files, reader, open };
}

/** A sink with the columns and the limits of another, which gives the rows to `write` instead of writing them. It remembers nothing from run to run. */
export function lookOnlySink(
  sink: Sink<never>,
  identity: string,
  write: (groups: readonly RowGroup[]) => void = () => {},
): Sink<never> {
  return {
    name: sink.name,
    identity,
    keepsRows: false,
    table: sink.table,
    groups: sink.groups,
    files: (run) => sink.files?.(run) ?? [],
    databaseFiles: sink.databaseFiles,
    columnMap: sink.columnMap,
    open: async (context) => {
      const look = await (sink.preflight === undefined ? sink.open(context) : sink.preflight(context));
      return {
        ...(look.limits !== undefined && { limits: look.limits }),
        check: (values) => look.check?.(values) ?? [],
        write: async (groups) => {
          write(groups);
          await Promise.resolve();
        },
        close: async () => await look.close("stopped"),
      };
    },
  };
}
