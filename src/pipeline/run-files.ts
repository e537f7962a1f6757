import { absolutePath, journalFolder } from "../files/paths.ts";
import { hash } from "node:crypto";
import { join } from "node:path";
import { OptionError } from "../errors/option.ts";
import type { PipelineOptions } from "./options.ts";

type FileOptions = Pick<PipelineOptions<object>, "name" | "payloadLogPath" | "deadLetterPath" | "journalPath">;

export function payloadLogPathOf({ payloadLogPath = "logs/llm_payloads.jsonl" }: FileOptions): string {
  return absolutePath(payloadLogPath);
}

export function deadLetterPathOf({ deadLetterPath = "output/failed_rows.jsonl" }: FileOptions): string {
  return absolutePath(deadLetterPath);
}

export function journalPathOf({ name, journalPath }: FileOptions): string {
  return absolutePath(journalPath ?? join(journalFolder, `${fileNameOf(name)}.db`));
}

/**
 * Makes sure that no two of a run's files have one path.
 *
 * @throws {OptionError} naming both
 */
export function requireOwnFiles(
  options: FileOptions & Pick<PipelineOptions<object>, "journal" | "payloadLog" | "onRowError">,
): void {
  const { journal, payloadLog, onRowError } = options;
  const seen = new Map<string, string>();
  const files = [
    ["journalPath", journal === "off" ? undefined : journalPathOf(options)],
    ["payloadLogPath", payloadLog === "off" ? undefined : payloadLogPathOf(options)],
    ["deadLetterPath", onRowError === "dead_letter" ? deadLetterPathOf(options) : undefined],
  ] as const;
  for (const [option, path] of files) {
    if (path === undefined) continue;
    const other = seen.get(path);
    if (other !== undefined) {
      throw new OptionError("Pipeline", option, `is the file of ${other} too: give each a file of its own`);
    }
    seen.set(path, option);
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
