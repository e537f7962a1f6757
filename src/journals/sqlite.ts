import { dirname } from "node:path";
import type { Journal, JournalReader, JournalSession, RunFacts } from "../contracts/journal.ts";
import type { Requirements } from "../contracts/requirements.ts";
import { JournalError } from "../errors/journal.ts";
import { checkOptions, isDuration, isPath, optional } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";
import { realPath } from "../files/real-path.ts";
import { requireFolder, requireWritable } from "../files/writable.ts";
import { AnswerKeeping } from "../journal-answers/answer-keeping.ts";
import { answersChecks, type AnswersOptions } from "../journal-answers/options.ts";
import { asJournalError } from "../sqlite/journal/failure.ts";
import { requireOneName } from "../sqlite/journal/open.ts";
import { lockWait } from "../sqlite/open.ts";
import { openReader } from "../sqlite/journal/reader.ts";
import { openSession } from "../sqlite/journal/session.ts";

export interface SQLiteJournalOptions extends AnswersOptions {
  /** The file, on a local disk. Pipelines may share one, but not at the same time. */
  readonly path: string | URL;
  /**
   * The longest time that a lock of another program on the database is waited for, in milliseconds, before the run stops: no answer is
   * lost, and calls go on meanwhile. @default 60,000
   */
  readonly busyTimeoutMs?: number | undefined;
}

/**
 * A journal in one SQLite file (WAL, mode 0600), for one run at a time: the kind that a pipeline has by default.
 *
 * @example
 * new Pipeline({ …, journal: new SQLiteJournal({ path: "/data/visits.db" }) })
 */
export class SQLiteJournal implements Journal {
  readonly name = "SQLite journal";
  /** The absolute path without links: pipelines that reach the file by different ones share its lock. */
  readonly identity: string;
  readonly files: readonly string[];
  readonly #busyTimeoutMs: number;
  readonly #answers: AnswerKeeping;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: SQLiteJournalOptions) {
    checkOptions("SQLiteJournal", options, {
      path: isPath,
      busyTimeoutMs: optional(isDuration(0)),
      ...answersChecks,
    });
    this.#answers = new AnswerKeeping("SQLiteJournal", options);
    this.#busyTimeoutMs = options.busyTimeoutMs ?? lockWait.patienceMs;
    this.identity = realPath(absolutePath(options.path));
    this.files = ["", "-wal", "-shm", "-journal", ".lock", ".new", ".new-wal", ".new-shm"].map(
      (ending) => `${this.identity}${ending}`,
    );
  }

  get requirements(): Requirements {
    return { environment: this.#answers.environment };
  }

  readonly preflight = async (): Promise<boolean> => {
    try {
      const isThere = await requireWritable(this.identity);
      if (isThere) requireOneName(this.identity);
      if (isThere) await requireFolder(dirname(this.identity));
      await this.#answers.preflight(this.identity, async () => await openReader(this.identity));
      return isThere;
    } catch (error) {
      throw asJournalError(this.identity, error);
    }
  };

  readonly open = async ({ role }: RunFacts, signal: AbortSignal): Promise<JournalSession> => {
    if (role === "worker") throw noWorkers(this.identity);
    return await this.#answers.session(
      this.identity,
      async () => await openSession(this.identity, this.#busyTimeoutMs, signal),
    );
  };

  readonly reader = async (): Promise<JournalReader | undefined> =>
    await this.#answers.reader(this.identity, async () => await openReader(this.identity));
}

/** Its lock is one process's, and its file on one machine. */
function noWorkers(path: string): JournalError {
  const hint = "give the pipeline a journal that takes workers, in a database that all of them reach";
  return new JournalError(path, "is for one process, and several workers can't share it", {
    facts: { problem: "workers", hint },
  });
}
