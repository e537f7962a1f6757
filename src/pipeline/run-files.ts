import { hash } from "node:crypto";
import { join } from "node:path";
import type { DeadLetter } from "../contracts/dead-letter.ts";
import type { Journal } from "../contracts/journal.ts";
import { withOlderFile } from "../dead-letter/older-file.ts";
import { DeadLetterFile } from "../dead-letter/file.ts";
import type { Deprecation } from "../errors/deprecation.ts";
import { OptionError } from "../errors/option.ts";
import { linesFilesOf } from "../files/lines-file.ts";
import { fileIdentity } from "../files/same-file.ts";
import { absolutePath, journalFolder } from "../files/paths.ts";
import { defaultJournalText, defaultJournal, journalEnding } from "./default-journal.ts";
import type { PipelineOptions } from "./options.ts";

/** The options that say where a run leaves what. */
export type StoreOptions = Pick<
  PipelineOptions<object>,
  "name" | "journal" | "journalPath" | "payloadLog" | "payloadLogPath" | "onRowError" | "deadLetter" | "deadLetterPath"
>;

export function payloadLogPathOf({ payloadLogPath = "logs/llm_payloads.jsonl" }: StoreOptions): string {
  return absolutePath(payloadLogPath);
}

/** The dead letters that a row goes to with `onRowError: "dead_letter"`. */
export function deadLetterOf({ name, deadLetter, deadLetterPath }: StoreOptions): DeadLetter {
  if (deadLetter !== undefined) return deadLetter;
  if (deadLetterPath !== undefined) return new DeadLetterFile({ path: deadLetterPath });
  return withOlderFile(join("output", `${fileNameOf(name)}.failed_rows.jsonl`), olderDeadLetterPath);
}

/** Until version 0.1 all pipelines of a folder had this file by default. */
const olderDeadLetterPath = join("output", "failed_rows.jsonl");

/** null where it is off. */
export function journalOf({ name, journal = "on", journalPath }: StoreOptions): Journal | null {
  if (journal === "off") return null;
  if (journal !== "on") return journal;
  return defaultJournal(journalPath ?? join(journalFolder, `${fileNameOf(name)}${journalEnding}`));
}

/** The options of 0.1 that are given, and what to write in their place. */
export function deprecationsOf({ journal, journalPath }: StoreOptions): readonly Deprecation[] {
  const until = "works until version 1.0";
  const deprecations: Deprecation[] = [];
  if (journal === "on") {
    const message = `Pipeline: option "journal": "on" ${until}: leave it out, for it is the default`;
    deprecations.push({ option: "journal", code: "LLM_ETL_JOURNAL_ON", message });
  }
  if (journalPath !== undefined) {
    const message = `Pipeline: option "journalPath" ${until}: give ${defaultJournalText}`;
    deprecations.push({ option: "journalPath", code: "LLM_ETL_JOURNAL_PATH", message });
  }
  return deprecations;
}

/**
 * Makes sure that the options do not contradict each other, and that no two parts of a run have one file.
 *
 * @throws {OptionError} naming both
 */
export function requireStoreOptions(options: StoreOptions): void {
  const { journal = "on", journalPath, payloadLog, onRowError, deadLetter, deadLetterPath } = options;
  for (const [option, value] of Object.entries({ deadLetter, deadLetterPath })) {
    if (value === undefined || onRowError === "dead_letter") continue;
    throw new OptionError("Pipeline", option, 'is only used with onRowError: "dead_letter"');
  }
  if (journalPath !== undefined && journal !== "on") {
    const other = journal === "off" ? 'journal: "off"' : "a journal, which has its own path";
    throw new OptionError("Pipeline", "journalPath", `is not used with ${other}`);
  }
  if (deadLetter !== undefined && deadLetterPath !== undefined) {
    throw new OptionError("Pipeline", "deadLetterPath", "is not used with deadLetter, which has its own path");
  }
  requireOwnFiles([
    [journalPath === undefined ? "journal" : "journalPath", journalOf(options)?.files],
    ["payloadLogPath", payloadLog === "off" ? [] : linesFilesOf(payloadLogPathOf(options))],
    [
      deadLetter === undefined ? "deadLetterPath" : "deadLetter",
      onRowError === "dead_letter" ? deadLetterOf(options).files : [],
    ],
  ]);
}

function requireOwnFiles(parts: readonly (readonly [option: string, files: readonly string[] | undefined])[]): void {
  const seen = new Map<string, string>();
  for (const [option, files = []] of parts) {
    for (const path of files) {
      const identity = fileIdentity(path);
      if (identity === undefined) continue;
      const other = seen.get(identity) ?? option;
      if (other !== option) {
        throw new OptionError("Pipeline", option, `is the file of ${other} too: give each a file of its own`);
      }
      seen.set(identity, option);
    }
  }
}

/** Longer ones are cut: most file systems take 255 bytes. */
const longestName = 60;

/** A pipeline's name as a file's; where that takes a change, with a hash, so that no two names share a file. */
function fileNameOf(name: string): string {
  const safe = name
    .replaceAll(/^[. ]+|[^\p{L}\p{N}_. -]/gu, "_")
    .slice(0, longestName)
    .trim();
  if (safe === name) return name;
  return `${safe}-${hash("sha256", name, "hex").slice(0, 8)}`;
}
