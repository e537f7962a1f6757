import type { DeadLetter, DeadLetterReplay, DeadLetterSession } from "../contracts/dead-letter.ts";
import type { RunFacts } from "../contracts/journal.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { checkOptions, isPath } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";
import { linesFilesOf } from "../files/lines-file.ts";
import { requireUsableLock } from "../files/lines-lock.ts";
import { requireWritable } from "../files/writable.ts";
import { FileReplay } from "./replay.ts";
import { openSession } from "./session.ts";

export interface DeadLetterFileOptions {
  /** The file. Pipelines may share one. */
  readonly path: string | URL;
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

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: DeadLetterFileOptions) {
    checkOptions("DeadLetterFile", options, { path: isPath });
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

  readonly open = async (run: Pick<RunFacts, "runId" | "pipeline">): Promise<DeadLetterSession> =>
    await openSession(this.identity, run);

  readonly replay = async (pipeline: string): Promise<DeadLetterReplay> =>
    await FileReplay.open(this.identity, pipeline);
}
