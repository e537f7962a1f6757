import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { JournalError } from "../errors/journal.ts";
import { OptionError } from "../errors/option.ts";
import { RunError } from "../errors/llm-etl-error.ts";
import { absolutePath, journalFolder } from "../files/paths.ts";
import type { PastRun } from "../contracts/journal.ts";
import { readRuns } from "../sqlite/journal/run-history.ts";
import { importPipeline } from "./import-module.ts";

/** A run, and the journal that knows of it. */
export interface RunInJournal extends PastRun {
  readonly journal: string;
}

/** Where to look: in these journals and those of these pipeline modules, or in all of the working directory's. */
export interface HistoryOptions {
  readonly journals: readonly string[];
  readonly pipelines: readonly string[];
}

/**
 * All runs that the journals know of, the newest first.
 *
 * @throws {LLMEtlError} if there is no journal, or one of them can't be read
 */
export async function findRuns(options: HistoryOptions): Promise<readonly RunInJournal[]> {
  const runs = new Map<string, RunInJournal>(); // a copy of a journal has the same ones
  for (const journal of await findJournals(options)) {
    for (const run of await readRuns(journal)) if (!runs.has(run.runId)) runs.set(run.runId, { ...run, journal });
  }
  return [...runs.values()].toSorted((one, other) => other.startedAt.getTime() - one.startedAt.getTime());
}

/** What of a run goes to JSON. */
export function toLine(run: RunInJournal): string {
  return `${JSON.stringify(run)}\n`;
}

async function findJournals({ journals, pipelines }: HistoryOptions): Promise<readonly string[]> {
  if (journals.length === 0 && pipelines.length === 0) return await journalsHere();
  const paths = new Set(journals.map((path) => absolutePath(path)));
  for (const module of pipelines) {
    const { name, journalPath } = await importPipeline(module);
    if (journalPath === null) {
      throw new OptionError("Pipeline", "journal", `is "off" in ${name}, so nothing is known of its runs`);
    }
    paths.add(journalPath);
  }
  const missing = [...paths].find((path) => !existsSync(path));
  if (missing === undefined) return [...paths];
  throw new JournalError(missing, "does not exist: the pipeline has not run yet, or its journal was moved");
}

/** The journals that have no path of their own. */
async function journalsHere(): Promise<readonly string[]> {
  const folder = absolutePath(journalFolder);
  const names = existsSync(folder) ? await readdir(folder) : [];
  const paths = names.filter((name) => name.endsWith(".db")).map((name) => join(folder, name));
  if (paths.length > 0) return paths;
  const advice = "run a pipeline here first, or name its module or, with --journal, its journal";
  throw new RunError("JOURNAL_FAILED", `there is no journal in ${folder}: ${advice}`);
}
