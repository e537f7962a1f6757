import type { ErrorFacts } from "../errors/facts.ts";
import { SourceError } from "../errors/source.ts";

/** The most that is read of a part that is held in memory, in bytes. */
export const maxPartBytes: number = 256 * 1024 * 1024;

/** Limits of a sheet, as Excel has them. */
export const maxRows = 1_048_576;
export const maxColumns = 16_384;
export const maxCellCharacters = 32_767;
/** Other programs write longer texts than Excel; one that is longer than this makes its cell unusable. */
export const maxReadCharacters = 100_000;

/** The error of a file that is no workbook, or none that can be read. */
export function notReadable(owner: string, got: string, facts: ErrorFacts = {}): SourceError {
  const expected = "an Excel workbook (.xlsx)";
  return new SourceError(owner, "the file can't be read as a workbook", { facts: { expected, got, ...facts } });
}

/** The error of a workbook that ends too early, or in which something is wrong that no program writes. */
export function damaged(owner: string, problem: string, cause?: unknown): SourceError {
  const hint = "copy or download it again; if Excel opens it, save it there under another name";
  return new SourceError(owner, `the workbook is damaged: ${problem}`, { cause, facts: { hint } });
}
