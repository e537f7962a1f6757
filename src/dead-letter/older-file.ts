import { access } from "node:fs/promises";
import type { DeadLetter } from "../contracts/dead-letter.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { LinesFile } from "../files/lines-file.ts";
import { absolutePath } from "../files/paths.ts";
import { realPath } from "../files/real-path.ts";
import { fileIdentity } from "../files/same-file.ts";
import { bytesOf, DeadLetterContents, failuresIn } from "./contents.ts";
import { DeadLetterFile } from "./file.ts";
import { removeRows, rewriting } from "./remove-rows.ts";

/** So many lines at a time are moved. */
const pageSize = 200;

/** The dead letters in a file, with those of the pipeline that an older version kept in another: a replay moves them over first. */
export function withOlderFile(path: string, olderPath: string): DeadLetter {
  const file = new DeadLetterFile({ path });
  const older = absolutePath(olderPath);
  return {
    ...file,
    replay: async (pipeline) => {
      const isAnother = fileIdentity(older) !== fileIdentity(file.identity); // a link may lead from one to the other
      if (isAnother && (await exists(older))) await moveRows(realPath(older), file.identity, pipeline);
      return await file.replay(pipeline);
    },
  };
}

/**
 * Moves the lines on a pipeline's rows to its own file, where that has none on the row: they are there before they leave, so that
 * a crash at any moment loses none. The file as it was is kept beside it.
 */
async function moveRows(from: string, to: string, pipeline: string): Promise<void> {
  try {
    await rewriting(from, async (file) => {
      const contents = new DeadLetterContents(pipeline);
      await contents.readOn(file);
      const rows = [...contents.rows];
      if (rows.length === 0) return;
      const known = (await exists(to)) ? await failuresIn(to, pipeline) : new Map<string, number>();
      const moving = rows.filter(({ pk }) => !known.has(pk));
      const target = await LinesFile.open(to, { durable: true });
      try {
        for (let start = 0; start < moving.length; start += pageSize) {
          const lines = moving.slice(start, start + pageSize).map(async (row) => (await bytesOf(file, row)).toString());
          await Promise.all((await Promise.all(lines)).map(async (line) => await target.append(line.trimEnd())));
        }
      } finally {
        await target.close();
      }
      const leaving = new Map(rows.map(({ pk }) => [pk, Infinity]));
      await removeRows({ path: from, file, contents, leaving, keep: true });
    });
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    throw new DeadLetterError(from, error);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
