import type { Journal } from "../contracts/journal.ts";
import { SQLiteJournal } from "../journals/sqlite.ts";

/** The journal in a file: the kind of a pipeline that names none. */
export function defaultJournal(path: string | URL): Journal {
  return new SQLiteJournal({ path });
}

/** The ending of such a file's name. */
export const journalEnding = ".db";

/** The same journal as an option, for messages. */
export const defaultJournalText = "journal: new SQLiteJournal({ path }) of llm-etl/journals/sqlite";
