import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { isMountPoint } from "../files/mount-point.ts";
import { realPath } from "../files/real-path.ts";
import { statusOf } from "../files/same-file.ts";
import { DeadLetterContents, failuresIn } from "./contents.ts";
import { removeRows, rewriting } from "./remove-rows.ts";

/**
 * The failures of a pipeline that are in a file, and the way to remove them. Nothing of a device or a named pipe, or of a file
 * that can't be replaced: its folder does not let it be written anew, or it is mounted alone.
 *
 * @throws {DeadLetterError} if the file can't be read
 */
export async function earlierFailures(
  path: string,
  pipeline: string,
): Promise<Pick<DeadLetterSession, "failedBefore" | "remove">> {
  const real = realPath(path);
  if (statusOf(real)?.isFile() !== true || isMountPoint(real) || !(await mayWriteTo(dirname(real)))) return {};
  try {
    const failures = await failuresIn(real, pipeline);
    return {
      failedBefore: new Set(failures.keys()),
      remove: async (leaving) => {
        // A failure that was there before is outdated whatever its time says: clocks are put right.
        const since = [...leaving].map(([pk, at]) => [pk, Math.max(at, failures.get(pk) ?? at)] as const);
        await remove(real, pipeline, new Map(since));
      },
    };
  } catch (error) {
    throw new DeadLetterError(path, error);
  }
}

async function remove(path: string, pipeline: string, leaving: ReadonlyMap<string, number>): Promise<void> {
  try {
    await rewriting(path, async (file) => {
      const contents = new DeadLetterContents(pipeline);
      await contents.readOn(file);
      await removeRows({ path, file, contents, leaving, keep: false });
    });
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    throw new DeadLetterError(path, error);
  }
}

async function mayWriteTo(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
