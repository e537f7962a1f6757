import { access, constants, type FileHandle, open, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { DeadLetterReplay, DeadLetterRest, DeadRow } from "../contracts/dead-letter.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { syncFolder } from "../files/sync-folder.ts";
import { DeadLetterContents, type LinePlace, type RowPlace } from "./contents.ts";
import { readLine } from "./line.ts";
import { rewriteFile } from "./rewrite.ts";

/** The rows of one pipeline in a dead letter file. Rows that leave it are in the file as it was, which is kept beside it. */
export class FileReplay implements DeadLetterReplay {
  readonly #path: string;
  readonly #pipeline: string;
  readonly #contents: DeadLetterContents;
  /** The lines that are in the file, as far as they count. */
  #lines: readonly LinePlace[] = [];
  /** Tells the file that was read from others, and how far it was read: what is appended from then on is the replay's own. */
  #identity = "";
  #replayedEnd = 0;
  /** For reading rows; opened with the first. */
  #file: FileHandle | undefined;
  #keptPath: string | null = null;

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
    this.#file ??= await this.#openSameFile();
    const place = this.#contents.rowOf(pk);
    const content = place === undefined ? undefined : readLine(await bytesOf(this.#file, place), this.#pipeline);
    if (content?.pk !== pk || content.raw === null) throw this.#changed();
    return content.raw;
  };

  readonly finish = async (leaving: ReadonlyMap<string, number>): Promise<void> => {
    await this.#reading(async (file) => {
      await this.#requireSameFile(file);
      await this.#contents.readOn(file);
      this.#lines = this.#contents.lines;
      if (leaving.size === 0) return;
      const staying = this.#lines.filter((line) => !this.#leaves(line, leaving));
      try {
        const restStart = this.#contents.end;
        this.#keptPath = await rewriteFile({ path: this.#path, file, ranges: staying, restStart });
        this.#lines = staying;
        await syncFolder(dirname(this.#path));
      } catch (error) {
        throw new DeadLetterError(this.#path, error);
      }
    });
  };

  readonly rest = (): DeadLetterRest => ({
    remainingCount: this.#lines.length,
    notReplayable: this.#lines.flatMap(({ number, problem }, index) => {
      const line = this.#keptPath === null ? number : index + 1; // in the file as it is now
      return problem === null ? [] : [{ line, reason: problem }];
    }),
    keptPath: this.#keptPath,
  });

  readonly close = async (): Promise<void> => {
    await this.#file?.close();
    this.#file = undefined;
  };

  async *#readRows(): AsyncGenerator<DeadRow> {
    await this.#reading(async (file) => {
      this.#identity = await identityOf(file);
      await this.#contents.readOn(file);
    });
    this.#lines = this.#contents.lines;
    this.#replayedEnd = this.#contents.end;
    yield* this.#contents.rows;
  }

  /** True if a line is outdated. One that was appended meanwhile may be about a later failure. */
  #leaves(line: LinePlace, leaving: ReadonlyMap<string, number>): boolean {
    const since = line.pk === null ? undefined : leaving.get(line.pk);
    if (line.pk === null || since === undefined) return false;
    return line.start < this.#replayedEnd || line.failedAtMs < since;
  }

  async #openSameFile(): Promise<FileHandle> {
    const file = await open(this.#path, "r");
    try {
      await this.#requireSameFile(file);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #requireSameFile(file: FileHandle): Promise<void> {
    const { size } = await file.stat();
    if (size < this.#contents.end || (await identityOf(file)) !== this.#identity) throw this.#changed();
  }

  #changed(): RunError {
    const advice = "nothing was done to it; replay it again, rows that were written will not be written twice";
    return unreadable(this.#path, `was changed or replaced while it was replayed: ${advice}`, { isChanged: true });
  }

  async #reading(work: (file: FileHandle) => Promise<void>): Promise<void> {
    try {
      const file = await open(this.#path, "r");
      try {
        await work(file);
      } finally {
        await file.close();
      }
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
    return await realpath(path);
  } catch (cause) {
    if (cause instanceof LLMEtlError) throw cause;
    const code = codeOf(cause);
    const missing = "does not exist: no row has failed so far, or the path is another";
    throw unreadable(path, code === "ENOENT" ? missing : `can't be read (${messageOf(cause)})`, { code }, cause);
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

async function bytesOf(file: FileHandle, { start, end }: RowPlace): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) return bytes.subarray(0, done); // it was cut
    done += bytesRead;
  }
  return bytes;
}
