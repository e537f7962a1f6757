import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { DeadLetterError } from "../errors/journal.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { holding } from "../files/lines-lock.ts";
import { syncFolder } from "../files/sync-folder.ts";
import type { DeadLetterContents, LinePlace } from "./contents.ts";
import { rewriteFile } from "../files/rewrite-lines.ts";

/** Works with a dead letter file that nobody else appends to, or writes anew, meanwhile. */
export async function rewriting(path: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  await holding(path, async () => {
    const file = await open(path, "r");
    try {
      await work(file);
    } finally {
      await file.close();
    }
  });
}

export interface Removal {
  /** The path without links. */
  readonly path: string;
  /** The same file, open for reading. */
  readonly file: FileHandle;
  /** All that is in it. */
  readonly contents: DeadLetterContents;
  /** By primary key, the time up to which failures are outdated, in milliseconds since 1970. */
  readonly leaving: ReadonlyMap<string, number>;
  /** True to keep the file as it was beside it. */
  readonly keep: boolean;
}

export interface Removed {
  readonly staying: readonly LinePlace[];
  readonly keptPath: string | null;
  /** False where every line counts: the file is then as it was. */
  readonly isRewritten: boolean;
}

/**
 * Writes a file anew without outdated lines: those of rows that are leaving, and all but the last of each row. Its lock is held.
 *
 * @throws {DeadLetterError} if that can't be done: everything is then as it was
 */
export async function removeRows({ path, file, contents, leaving, keep }: Removal): Promise<Removed> {
  const { lines, end, outdatedCount } = contents;
  const staying = lines.filter((line) => line.pk === null || line.failedAtMs > (leaving.get(line.pk) ?? -Infinity));
  if (staying.length === lines.length && outdatedCount === 0) return { staying, keptPath: null, isRewritten: false };
  try {
    const keptPath = await rewriteFile({ path, file, ranges: staying, restStart: end, keep });
    await syncFolder(dirname(path));
    return { staying, keptPath, isRewritten: true };
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    throw new DeadLetterError(path, error);
  }
}
