import type { JournalSession, StoredAnswer, WrittenRow } from "../contracts/journal.ts";
import type { Sink } from "../contracts/sink.ts";
import type { AnySource, ReadContext, SourceRow } from "../contracts/source.ts";
import { keyAsGiven } from "./primary-key.ts";
import { RowBuffer } from "./row-buffer.ts";

/** The most rows of a page. */
const mostRows = 1000;
/** The rows of the first page; each may be twice as long as the one before. */
const firstRows = 100;
/** So many characters and bytes, rows and answers, a page may hold. What an answer holds is known of the page before. */
const pageBudget = 3_000_000;
/** Pages that are read, and looked up, before the one in use has ended: a round trip waits for none of another page. */
const pagesAhead = 2;

type LookedUpSink = Pick<Sink<never>, "identity" | "keepsRows">;

/** Rows of a page, and the end of its look-up. */
interface TakenRows {
  readonly rows: readonly SourceRow[];
  readonly known: Promise<void> | undefined;
}

export interface LookAheadOptions {
  readonly source: AnySource;
  readonly sinks: readonly LookedUpSink[];
  readonly journal: JournalSession;
  /** The most rows of a page, where they are fewer than 1,000. */
  readonly pageRows: number;
  /** The most rows that are read. */
  readonly limit: number;
  /** True where the target is written anew: then what was written is not looked up. */
  readonly fresh: boolean;
}

/**
 * Reads a source ahead by pages, and looks up for a whole page at once what its rows used last: their last writes, and the answers
 * of these. A look-up made early changes nothing else: each row is rendered and validated as ever, what is not found ahead is looked
 * for when it is needed, and what the run itself saves or forgets is taken out of the pages.
 */
export class LookAhead {
  readonly #options: LookAheadOptions;
  /** The page in use, the one before it, of which rows may be on their way, and those that are being looked up. */
  #pages: readonly Page[] = [];
  #rowsOfPage = firstRows;
  /** The journal, in which whatever is saved is taken out of the pages. */
  readonly journal: JournalSession;
  /** The source, read ahead. */
  readonly source: Pick<AnySource, "name" | "primaryKeyColumn" | "schema" | "namesAreData" | "read">;

  constructor(options: LookAheadOptions) {
    const { name, primaryKeyColumn, schema, namesAreData } = options.source;
    this.#options = options;
    this.journal = watched(options.journal, (keys) => this.#pages.forEach((page) => page.drop(keys)));
    this.source = { name, primaryKeyColumn, schema, namesAreData, read: (context) => this.#read(context) };
  }

  readonly row = (sink: string, pk: string): WrittenRow | undefined =>
    this.#first((page) => page.sinks.get(sink)?.rows.get(pk));

  /** The fingerprints of the answers that a row used last, at a sink that keeps no rows. */
  readonly used = (sink: string, pk: string): readonly string[] | undefined =>
    this.#first((page) => page.sinks.get(sink)?.used.get(pk));

  readonly answer = (fingerprint: string): StoredAnswer | undefined =>
    this.#first((page) => page.answers.get(fingerprint));

  #first<Found>(find: (page: Page) => Found | undefined): Found | undefined {
    for (const page of this.#pages) {
      const found = find(page);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async *#read(context: ReadContext): AsyncGenerator<SourceRow> {
    const { source, limit } = this.#options;
    const rows = source.read(context);
    if (!(await this.#mayBeKnown())) {
      yield* rows;
      return;
    }
    const buffer = new RowBuffer(rows[Symbol.asyncIterator](), limit);
    try {
      const coming: Promise<TakenRows>[] = [];
      const takeNext = (): void => {
        const before = coming.at(-1);
        const next = before === undefined ? this.#take(buffer) : before.then(async () => await this.#take(buffer));
        next.catch(() => {}); // its error is for the one who awaits it
        coming.push(next);
      };
      for (let count = 0; count < pagesAhead; count += 1) takeNext();
      for (let next = coming[0]; next !== undefined; next = coming[0]) {
        const { rows: taken, known } = await next;
        if (taken.length === 0) break;
        takeNext();
        void coming.shift();
        await known;
        for (const row of taken) yield row;
      }
    } finally {
      await buffer.close();
    }
  }

  /** False where no row has anything to look up; of a sink that keeps none that is not known beforehand. */
  async #mayBeKnown(): Promise<boolean> {
    const { sinks, journal, fresh } = this.#options;
    for (const { identity, keepsRows } of sinks) {
      if (fresh || !keepsRows || (await journal.rows.hasWritten(identity))) return true;
    }
    return false;
  }

  /** The next rows, none after the last; the look-up of all that the journal has of them has begun. */
  async #take(buffer: RowBuffer): Promise<TakenRows> {
    const { rows, size } = await buffer.take(Math.min(this.#rowsOfPage, this.#options.pageRows), pageBudget);
    if (rows.length === 0) return { rows, known: undefined };
    const page = new Page();
    this.#pages = [page, ...this.#pages.slice(0, pagesAhead + 1)];
    return { rows, known: this.#lookUp(page, rows, size) };
  }

  async #lookUp(page: Page, rows: readonly SourceRow[], size: number): Promise<void> {
    const { source, journal, sinks, fresh } = this.#options;
    try {
      const pks = rows.flatMap((row) => keyOf(row, source.primaryKeyColumn) ?? []);
      await page.lookUp(journal, pks, sinks, fresh);
    } catch {
      page.clear(); // the rows look for themselves, and say what is wrong
    }
    const fitting = Math.floor((pageBudget * rows.length) / (size + page.size + 1));
    this.#rowsOfPage = Math.max(1, Math.min(mostRows, 2 * this.#rowsOfPage, fitting));
  }
}

/** All that a journal has of the rows of a page at one sink. */
class PageAtSink {
  rows = new Map<string, WrittenRow>();
  used = new Map<string, readonly string[]>();
  /** By its place in the target, the key of a row, where they differ. */
  readonly #byTargetKey = new Map<string, string>();

  /** Gives the fingerprints that the rows used. */
  async lookUp(
    { rows, answers }: JournalSession,
    { identity }: LookedUpSink,
    pks: readonly string[],
    hasRows: boolean,
  ): Promise<readonly string[]> {
    if (hasRows) this.rows = new Map(await rows.find(identity, pks));
    else this.used = new Map(await answers.findUsed(identity, pks));
    for (const [pk, { targetKey }] of this.rows) if (targetKey !== pk) this.#byTargetKey.set(targetKey, pk);
    return [...this.used.values(), ...[...this.rows.values()].map(({ fingerprints }) => fingerprints ?? [])].flat();
  }

  drop(key: string): void {
    this.used.delete(key);
    this.rows.delete(key);
    const other = this.#byTargetKey.get(key);
    if (other !== undefined) this.rows.delete(other);
  }
}

/** All that a journal has of the rows of a page, as it was when it was asked, without what has changed since. */
class Page {
  /** By the sink's identity. */
  readonly sinks = new Map<string, PageAtSink>();
  answers = new Map<string, StoredAnswer>();
  /** While it is looked up: what a look-up that is on its way may have as it was before. */
  #dropped: Set<string> | undefined = new Set();

  /** The characters of its answers. */
  get size(): number {
    let size = 0;
    for (const { text } of this.answers.values()) size += text.length;
    return size;
  }

  async lookUp(
    journal: JournalSession,
    pks: readonly string[],
    sinks: readonly LookedUpSink[],
    fresh: boolean,
  ): Promise<void> {
    const looking = sinks.map(async (sink) => {
      const page = new PageAtSink();
      return { sink, page, used: await page.lookUp(journal, sink, pks, sink.keepsRows && !fresh) };
    });
    const pages = await Promise.all(looking);
    for (const { sink, page } of pages) this.sinks.set(sink.identity, page);
    const fingerprints = new Set(pages.flatMap(({ used }) => used));
    if (fingerprints.size > 0) this.answers = new Map(await journal.answers.find([...fingerprints]));
    const dropped = this.#dropped ?? [];
    this.#dropped = undefined;
    this.drop(dropped);
  }

  /** Drops rows, those whose place in a target has one of the keys, and answers. */
  drop(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#dropped?.add(key);
      this.answers.delete(key);
      for (const page of this.sinks.values()) page.drop(key);
    }
  }

  clear(): void {
    this.sinks.clear();
    this.answers.clear();
    this.#dropped = undefined;
  }
}

/** The journal, with a function that takes what has changed: fingerprints, primary keys, and keys of the target. */
function watched(journal: JournalSession, changed: (keys: readonly string[]) => void): JournalSession {
  const { answers, rows } = journal;
  // Once it is saved: a page that was looked up before that has the state before it.
  const saved = async (saving: Promise<void>, keys: readonly string[]): Promise<void> => {
    await saving.finally(() => changed(keys));
  };
  return {
    ...journal,
    answers: {
      ...answers,
      save: async (fingerprint, answer) => await saved(answers.save(fingerprint, answer), [fingerprint]),
      forget: async (fingerprints) => await saved(answers.forget(fingerprints), fingerprints),
      saveUsed: async (sink, uses) =>
        await saved(
          answers.saveUsed(sink, uses),
          uses.map(({ pk }) => pk),
        ),
    },
    rows: {
      ...rows,
      saveWritten: async (sink, written) =>
        await saved(
          rows.saveWritten(sink, written),
          written.flatMap(({ pk, targetKey }) => [pk, targetKey]),
        ),
      saveFailed: async (sink, failed) =>
        await saved(
          rows.saveFailed(sink, failed),
          failed.flatMap(({ pk }) => pk ?? []),
        ),
    },
  };
}

/** The key of a row, as far as it can be told before its schema. */
function keyOf(row: SourceRow, column: string): string | undefined {
  if (typeof row !== "object" || row === null || "error" in row) return undefined;
  return keyAsGiven(row.raw, column);
}
