import type { Journal, JournalReader, JournalSession } from "../contracts/journal.ts";

/** A journal that is empty, or not there yet. */
export interface JournalUnderTest {
  readonly journal: Journal;
  /**
   * The same journal for another process, which is then killed: an ES module whose default export it is.
   * @default that a journal outlives its process is not checked
   */
  readonly moduleText?: string | undefined;
  /** Called after each check, also after one that failed. */
  readonly release?: (() => Promise<void>) | undefined;
}

/** A journal, and what a check opened of it: all is closed after the check. */
export interface OpenedJournal extends Pick<JournalUnderTest, "journal" | "moduleText"> {
  readonly open: (runId?: string) => Promise<JournalSession>;
  readonly read: () => Promise<JournalReader>;
}

export type JournalCheck = (opened: OpenedJournal) => Promise<void>;
