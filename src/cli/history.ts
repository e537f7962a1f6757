import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { BadRow, Journal, JournalReader, PastRun, RunFilter } from "../contracts/journal.ts";
import { JournalError } from "../errors/journal.ts";
import { RunError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { absolutePath, journalFolder } from "../files/paths.ts";
import { defaultJournal, journalEnding } from "../pipeline/default-journal.ts";
import { importPipeline } from "./import-module.ts";

/** A run, and the journal that knows of it. */
export interface RunInJournal extends PastRun {
  /** The journal's identity: the path of a file. */
  readonly journal: string;
}

/** The journals to look into: these files and those of these pipeline modules; with none named, all of the working directory. */
export interface HistoryOptions {
  readonly journals: readonly string[];
  readonly pipelines: readonly string[];
}

/** The runs that are meant, at most `limit` of them. */
export interface RunRequest extends RunFilter {
  readonly limit: number;
}

/** So many runs are asked for at a time. */
const pageSize = 100;

/**
 * Opens the journals for a look, and closes them after it.
 *
 * @throws {LLMEtlError} if there is no journal, or one of them can't be read
 */
export async function withHistory<Result>(
  options: HistoryOptions,
  look: (history: History) => Promise<Result>,
): Promise<Result> {
  const readers = new Map<string, JournalReader>();
  try {
    for (const journal of await findJournals(options)) {
      const { identity } = journal;
      if (readers.has(identity)) continue;
      const reader = await journal.reader();
      const missing = "does not exist: the pipeline has not run yet, or its journal was moved";
      if (reader === undefined) throw new JournalError(identity, missing);
      readers.set(identity, reader);
    }
    return await look(new History(readers));
  } finally {
    await Promise.allSettled([...readers.values()].map(async (reader) => await reader.close()));
  }
}

/** The runs that the journals know of. */
export class History {
  readonly #readers: ReadonlyMap<string, JournalReader>;

  /** By identity of their journals. */
  constructor(readers: ReadonlyMap<string, JournalReader>) {
    this.#readers = readers;
  }

  /** The runs that are meant, the newest first. A copy of a journal has the same ones. */
  async runs({ limit, ...filter }: RunRequest): Promise<readonly RunInJournal[]> {
    const runs = new Map<string, RunInJournal>();
    for (const [journal, reader] of this.#readers) {
      const { items } = await reader.runs.list({ ...filter, limit });
      for (const run of items) if (!runs.has(run.runId)) runs.set(run.runId, { ...run, journal });
    }
    const sorted = [...runs.values()].toSorted((one, other) => other.startedAt.getTime() - one.startedAt.getTime());
    return sorted.slice(0, limit);
  }

  async runCount(filter: RunFilter): Promise<number> {
    let count = 0;
    for (const reader of this.#readers.values()) count += await reader.runs.count(filter);
    return count;
  }

  /** The newest of the runs after a run, of its pipeline and in its journal, that the test accepts. */
  async laterRun(run: RunInJournal, test: (other: PastRun) => boolean): Promise<PastRun | undefined> {
    const filter = { pipeline: run.pipeline, since: run.startedAt, limit: pageSize };
    let from: string | undefined;
    do {
      const page = await this.#readers.get(run.journal)?.runs.list({ ...filter, from });
      const found = page?.items.find(test);
      if (found !== undefined) return found;
      from = page?.next ?? undefined;
    } while (from !== undefined);
    return undefined;
  }

  /** The first rows of a run that failed or were skipped. */
  async failures({ journal, runId }: RunInJournal, limit: number): Promise<readonly BadRow[]> {
    return (await this.#readers.get(journal)?.runs.failures(runId, { limit }))?.items ?? [];
  }
}

async function findJournals({ journals, pipelines }: HistoryOptions): Promise<readonly Journal[]> {
  if (journals.length === 0 && pipelines.length === 0) return await journalsHere();
  const found = journals.map((path) => defaultJournal(path));
  for (const module of pipelines) {
    const { name, journal } = await importPipeline(module);
    if (journal === null) {
      throw new OptionError("Pipeline", "journal", `is "off" in ${name}, so nothing is known of its runs`);
    }
    found.push(journal);
  }
  return found;
}

/** The journals that have no path of their own. */
async function journalsHere(): Promise<readonly Journal[]> {
  const folder = absolutePath(journalFolder);
  const names = existsSync(folder) ? await readdir(folder) : [];
  const paths = names.filter((name) => name.endsWith(journalEnding)).map((name) => join(folder, name));
  if (paths.length > 0) return paths.map((path) => defaultJournal(path));
  const advice = "run a pipeline here first, or name its module or, with --journal, its journal";
  throw new RunError("JOURNAL_FAILED", `there is no journal in ${folder}: ${advice}`);
}
