import type { DeadLetter, DeadLetterReplay, DeadLetterSession } from "../contracts/dead-letter.ts";
import type { RunFacts } from "../contracts/journal.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { checkOptions, isCount, isPath, optional } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";
import { linesFilesOf } from "../files/lines-file.ts";
import { requireUsableLock } from "../files/lines-lock.ts";
import { daysAgo, removeOldLines } from "../files/old-lines.ts";
import { requireWritable } from "../files/writable.ts";
import { FileReplay } from "./replay.ts";
import { openSession } from "./session.ts";

export interface DeadLetterFileOptions {
  /** The file. Pipelines may share one. */
  readonly path: string | URL;
  /**
   * The age in days beyond which a line is removed as a run begins, also from the copies that replays leave beside the file; whichever pipeline
   * it is of. Its row is tried again by each run that reads it. @default lines stay until their rows get through
   */
  readonly keepDays?: number | undefined;
}

/**
 * Failed rows in a file, one JSON object a line, appended, mode 0600.
 *
 * @example
 * new Pipeline({ …, onRowError: "dead_letter", deadLetter: new DeadLetterFile({ path: "failed.jsonl" }) })
 */
export class DeadLetterFile implements DeadLetter {
  readonly name = "dead letter file";
  readonly identity: string;
  readonly files: readonly string[];
  readonly #keepDays: number | undefined;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: DeadLetterFileOptions) {
    checkOptions("DeadLetterFile", options, { path: isPath, keepDays: optional(isCount(1)) });
    this.#keepDays = options.keepDays;
    this.identity = absolutePath(options.path);
    this.files = linesFilesOf(this.identity);
  }

  readonly preflight = async (): Promise<boolean> => {
    try {
      await requireUsableLock(this.identity);
      return await requireWritable(this.identity);
    } catch (cause) {
      throw new DeadLetterError(this.identity, cause);
    }
  };

  readonly open = async (
    run: Pick<RunFacts, "runId" | "pipeline"> & Partial<Pick<RunFacts, "kind">>,
  ): Promise<DeadLetterSession> => {
    // A replay takes old rows, too, and those that get through leave the file.
    if (this.#keepDays !== undefined && run.kind !== "replay") await this.#removeOlder(this.#keepDays);
    return await openSession(this.identity, run);
  };

  readonly replay = async (pipeline: string): Promise<DeadLetterReplay> =>
    await FileReplay.open(this.identity, pipeline);

  async #removeOlder(days: number): Promise<void> {
    try {
      await removeOldLines(this.identity, daysAgo(days));
    } catch (cause) {
      throw new DeadLetterError(this.identity, cause);
    }
  }
}
