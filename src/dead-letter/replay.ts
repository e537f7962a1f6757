import { access, constants, type FileHandle, open, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { DeadLetterReplay, DeadLetterRest, DeadRow } from "../contracts/dead-letter.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { isMountPoint } from "../files/mount-point.ts";
import { bytesOf, DeadLetterContents, type LinePlace } from "./contents.ts";
import { readLine } from "./line.ts";
import { removeRows, rewriting } from "./remove-rows.ts";

/** The rows of one pipeline in a dead letter file. Rows that leave it are in the file as it was, which is kept beside it. */
export class FileReplay implements DeadLetterReplay {
  readonly #path: string;
  readonly #pipeline: string;
  readonly #contents: DeadLetterContents;
  /** The lines that are in the file, as far as they count. */
  #lines: readonly LinePlace[] = [];
  /** Tells the file that was read from others. */
  #identity = "";
  /** The file as it was when the replay began, also where another takes its place. */
  #file: FileHandle | undefined;
  #keptPath: string | null = null;
  #isRewritten = false;

  private constructor(path: string, pipeline: string) {
    this.#path = path;
    this.#pipeline = pipeline;
    this.#contents = new DeadLetterContents(pipeline);
  }

  /**
   * Makes sure that the file can be read, and be written anew.
   *
   * @throws {RunError} if there is no such file, or it can't be read
   * @throws {DeadLetterError} if its folder can't be written to
   */
  static async open(path: string, pipeline: string): Promise<FileReplay> {
    const realPath = await realPathOf(path);
    try {
      await access(dirname(realPath), constants.W_OK);
    } catch (error) {
      throw new DeadLetterError(realPath, error);
    }
    return new FileReplay(realPath, pipeline);
  }

  readonly rows = (): AsyncIterable<DeadRow> => this.#readRows();

  readonly raw = async ({ pk }: DeadRow): Promise<Readonly<Record<string, unknown>>> => {
    const place = this.#contents.rowOf(pk);
    const file = this.#file;
    const bytes = place === undefined || file === undefined ? undefined : await bytesOf(file, place);
    const content = bytes === undefined ? undefined : readLine(bytes, this.#pipeline);
    if (content?.pk !== pk || content.raw === null) throw this.#changed();
    return content.raw;
  };

  readonly finish = async (leaving: ReadonlyMap<string, number>): Promise<void> => {
    const since = new Map<string, number>();
    for (const [pk, at] of leaving) since.set(pk, Math.max(at, this.#contents.rowOf(pk)?.failedAtMs ?? at));
    await this.#reading(async () => {
      await rewriting(this.#path, async (file) => {
        // Another pipeline's run may have written the file anew: then it is read from its beginning.
        const isSame = (await identityOf(file)) === this.#identity;
        if (isSame && (await file.stat()).size < this.#contents.end) throw this.#changed();
        const contents = isSame ? this.#contents : new DeadLetterContents(this.#pipeline);
        await contents.readOn(file);
        this.#lines = contents.lines;
        const { staying, keptPath, isRewritten } = await removeRows({
          path: this.#path,
          file,
          contents,
          leaving: since,
          keep: leaving.size > 0, // else each row is still there, with its last failure alone
        });
        this.#lines = staying;
        this.#keptPath = keptPath;
        this.#isRewritten = isRewritten;
      });
    });
  };

  readonly rest = (): DeadLetterRest => ({
    remainingCount: this.#lines.length,
    notReplayable: this.#lines.flatMap(({ number, problem }, index) => {
      const line = this.#isRewritten ? index + 1 : number; // in the file as it is now
      return problem === null ? [] : [{ line, reason: problem }];
    }),
    keptPath: this.#keptPath,
  });

  readonly close = async (): Promise<void> => {
    await this.#file?.close();
    this.#file = undefined;
  };

  async *#readRows(): AsyncGenerator<DeadRow> {
    await this.#reading(async () => {
      this.#file = await open(this.#path, "r");
      this.#identity = await identityOf(this.#file);
      await this.#contents.readOn(this.#file);
    });
    this.#lines = this.#contents.lines;
    yield* this.#contents.rows;
  }

  #changed(): RunError {
    const advice = "nothing was done to it; replay it again, rows that were written will not be written twice";
    return unreadable(this.#path, `was changed while it was replayed: ${advice}`, { isChanged: true });
  }

  async #reading(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (cause instanceof LLMEtlError) throw cause;
      throw unreadable(this.#path, `can't be read (${messageOf(cause)})`, { code: codeOf(cause) }, cause);
    }
  }
}

/** The path without links: what is beside it is to be beside the file itself. */
async function realPathOf(path: string): Promise<string> {
  try {
    const entry = await stat(path);
    if (entry.isDirectory()) throw unreadable(path, "is a folder; give the path of the file in it", { kind: "folder" });
    if (!entry.isFile())
      throw unreadable(path, "is not a regular file, and only one can be replayed", { kind: "other" });
    await access(path, constants.R_OK);
    const real = await realpath(path);
    if (isMountPoint(real)) {
      throw unreadable(path, "is mounted as a single file, and can't be written anew: mount its folder", {
        kind: "mounted",
      });
    }
    return real;
  } catch (cause) {
    if (cause instanceof LLMEtlError) throw cause;
    const code = codeOf(cause);
    if (code !== "ENOENT") throw unreadable(path, `can't be read (${messageOf(cause)})`, { code }, cause);
    const hint =
      'only onRowError: "dead_letter" keeps rows; run the pipeline again to try those that only the journal knows';
    throw unreadable(
      path,
      "does not exist: no failed row is kept there, or the path is another",
      { code, hint },
      cause,
    );
  }
}

function unreadable(path: string, problem: string, facts: ErrorFacts, cause?: unknown): RunError {
  return new RunError("DEAD_LETTER_UNREADABLE", `the dead letter file ${path} ${problem}`, {
    cause,
    facts: { where: path, ...facts },
  });
}

async function identityOf(file: FileHandle): Promise<string> {
  const { dev, ino } = await file.stat({ bigint: true });
  return `${dev}:${ino}`;
}
