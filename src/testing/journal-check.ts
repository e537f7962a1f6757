import type { Journal, JournalReader, JournalSession, Page, PageRequest, RunFacts } from "../contracts/journal.ts";

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
  readonly open: (runId?: string, given?: Partial<RunFacts>) => Promise<JournalSession>;
  readonly read: () => Promise<JournalReader>;
}

export type JournalCheck = (opened: OpenedJournal) => Promise<void>;

/** All pages, as lists. */
export async function pagesOf<Item>(
  ask: (request: PageRequest) => Promise<Page<Item>>,
  limit: number,
): Promise<Item[][]> {
  const pages: Item[][] = [];
  let from: string | undefined;
  do {
    const { items, next } = await ask({ limit, from });
    pages.push([...items]);
    from = next ?? undefined;
  } while (from !== undefined);
  return pages;
}

/** Checks of a session that is open. */
export function inSession(check: (session: JournalSession) => Promise<void>): JournalCheck {
  return async ({ open }) => await check(await open());
}

/** Keys that a journal must tell apart. */
export const oddKeys: readonly string[] = ["\uD83D", "\uD83E", "\uFFFD", "a", "A", "a ", "a\0", "a\0b", "1", "01"];
