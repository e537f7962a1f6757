import { dirname } from "node:path";
import type { Journal } from "../contracts/journal.ts";
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
import { openUpkeep } from "../sqlite/journal/upkeep.ts";

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
  readonly requirements: Requirements;
  readonly preflight: () => Promise<boolean>;
  readonly open: Journal["open"];
  readonly reader: Journal["reader"];
  readonly upkeep: NonNullable<Journal["upkeep"]>;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: SQLiteJournalOptions) {
    checkOptions("SQLiteJournal", options, {
      path: isPath,
      busyTimeoutMs: optional(isDuration(0)),
      ...answersChecks,
    });
    const answers = new AnswerKeeping("SQLiteJournal", options);
    const { busyTimeoutMs = lockWait.patienceMs } = options;
    const path = realPath(absolutePath(options.path));
    this.identity = path;
    this.files = ["", "-wal", "-shm", "-journal", ".lock", ".new", ".new-wal", ".new-shm"].map(
      (ending) => `${path}${ending}`,
    );
    this.requirements = { environment: answers.environment };
    const parts = answers.in({
      identity: () => path,
      preflight: async () => await preflight(path),
      open: async ({ role }, signal) => {
        if (role === "worker") throw noWorkers(path);
        return await openSession(path, busyTimeoutMs, signal);
      },
      reader: async () => await openReader(path),
      upkeep: async (signal) => await openUpkeep(path, busyTimeoutMs, signal),
    });
    ({ open: this.open, reader: this.reader, upkeep: this.upkeep } = parts);
    this.preflight = async () => await parts.preflight(new AbortController().signal);
  }
}

async function preflight(path: string): Promise<boolean> {
  try {
    const isThere = await requireWritable(path);
    if (isThere) requireOneName(path);
    if (isThere) await requireFolder(dirname(path));
    return isThere;
  } catch (error) {
    throw asJournalError(path, error);
  }
}

/** Its lock is one process's, and its file on one machine. */
function noWorkers(path: string): JournalError {
  const hint = "give the pipeline a journal that takes workers, in a database that all of them reach";
  return new JournalError(path, "is for one process, and several workers can't share it", {
    facts: { problem: "workers", hint },
  });
}
