import { access, constants, type FileHandle, open, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { closest } from "../errors/closest.ts";
import type { RunEvent } from "../contracts/events.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { errorCodes, LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import type { ReplayReport } from "../contracts/report.ts";
import { syncFolder } from "../files/sync-folder.ts";
import { messageOf } from "../errors/thrown.ts";
import type { AnySource, SourceRow } from "../contracts/source.ts";
import { DeadLetterContents, type LinePlace, type RowPlace } from "./contents.ts";
import { readLine } from "./line.ts";
import { rewriteFile } from "./rewrite.ts";

/** The rows of a dead letter file, taken through a pipeline once more. Those that get through leave the file. */
export class DeadLetterReplay {
  readonly #path: string;
  readonly #codes: readonly string[] | undefined;
  readonly #pipeline: string;
  readonly #contents: DeadLetterContents;
  /** The lines that are in the file, as far as they count. */
  #lines: readonly LinePlace[] = [];
  /** Which file it was that was read, and how far: what is appended from then on is this replay's own. */
  #identity = "";
  #replayedEnd = 0;
  /** By line number, the rows that are on their way. */
  readonly #onTheirWay = new Map<number, RowPlace>();
  /** By key, the rows that are to leave the file, and since when there is no need for what it says of them. */
  readonly #leaving = new Map<string, number>();
  #writtenSinceCount = 0;
  #keptPath: string | null = null;

  private constructor(path: string, pipeline: string, codes: readonly string[] | undefined) {
    this.#path = path;
    this.#pipeline = pipeline;
    this.#contents = new DeadLetterContents(pipeline);
    this.#codes = codes;
  }

  /**
   * Makes sure that the file can be read, and be written anew.
   *
   * @throws {RunError} if there is no such file, or it can't be read
   * @throws {DeadLetterError} if its folder can't be written to
   */
  static async open(path: string, pipeline: string, codes: readonly string[] | undefined): Promise<DeadLetterReplay> {
    const realPath = await realPathOf(path);
    try {
      await access(dirname(realPath), constants.W_OK);
    } catch (error) {
      throw new DeadLetterError(realPath, error);
    }
    return new DeadLetterReplay(realPath, pipeline, codes);
  }

  /**
   * Reads the file, and returns a source of the rows in it that have not been written since they failed, by the last
   * line on each.
   *
   * @throws {RunError} if it can't be read
   * @throws {OptionError} if rows with an error code are wanted that neither llm-etl nor the file knows
   */
  async begin(like: AnySource, writtenAt: (pk: string) => Promise<Date | undefined>): Promise<AnySource> {
    await this.#reading(async (file) => {
      this.#identity = await identityOf(file);
      await this.#contents.readOn(file);
    });
    this.#lines = this.#contents.lines;
    this.#replayedEnd = this.#contents.end;
    this.#refuseUnknownCodes();
    const wanted: RowPlace[] = [];
    let looked = 0;
    for (const line of this.#contents.rows) {
      if ((looked += 1) % 1000 === 0) await setImmediate(); // a journal that never waits would keep signals from being served
      if (this.#codes !== undefined && !this.#codes.includes(line.errorCode)) continue;
      const writtenMs = (await writtenAt(line.pk))?.getTime();
      // A row's failure is forgotten by the journal when it is written, so of two equal times that was the later.
      if (writtenMs !== undefined && writtenMs >= line.failedAtMs) {
        this.#leaving.set(line.pk, writtenMs);
        this.#writtenSinceCount += 1;
      } else if (line.problem === null) {
        wanted.push(line);
      }
    }
    return {
      name: "dead letter file",
      primaryKeyColumn: like.primaryKeyColumn,
      schema: like.schema,
      read: ({ signal }) => this.#read(wanted, signal),
      count: () => Promise.resolve(wanted.length),
    };
  }

  /** Sees what becomes of the rows. */
  observe(event: RunEvent): void {
    if (event.type !== "row-end") return;
    const line = this.#onTheirWay.get(event.position);
    this.#onTheirWay.delete(event.position);
    if (line === undefined || event.outcome === "pending") return;
    const { pk, errorCode } = event;
    // A row whose key the schema has changed has failed under its new one, so the line with the old one is outdated.
    const isUnderNewKey = pk !== null && pk !== line.pk && errorCode !== "PRIMARY_KEY_DUPLICATE";
    if (errorCode === null || isUnderNewKey) this.#leaving.set(line.pk, Date.now());
  }

  /**
   * Writes the file anew, without the rows that have left it, and keeps the old one beside it; or leaves it alone if none has.
   *
   * @throws {DeadLetterError} if that can't be done: the file is then as it was, with what was appended
   * @throws {RunError} if it is no longer the file that was replayed
   */
  async finish(): Promise<void> {
    await this.#reading(async (file) => {
      await this.#refuseOtherFile(file);
      await this.#contents.readOn(file);
      this.#lines = this.#contents.lines;
      if (this.#leaving.size === 0) return;
      const staying = this.#lines.filter((line) => !this.#leaves(line));
      try {
        const restStart = this.#contents.end;
        this.#keptPath = await rewriteFile({ path: this.#path, file, ranges: staying, restStart });
        this.#lines = staying;
        await syncFolder(dirname(this.#path));
      } catch (error) {
        throw new DeadLetterError(this.#path, error);
      }
    });
  }

  get figures(): Pick<ReplayReport, "writtenSinceCount" | "remainingCount" | "notReplayable" | "keptPath"> {
    return {
      writtenSinceCount: this.#writtenSinceCount,
      remainingCount: this.#lines.length,
      notReplayable: this.#lines.flatMap(({ number, problem }, index) => {
        const line = this.#keptPath === null ? number : index + 1; // in the file as it is now
        return problem === null ? [] : [{ line, reason: problem }];
      }),
      keptPath: this.#keptPath,
    };
  }

  async *#read(lines: readonly RowPlace[], signal: AbortSignal): AsyncGenerator<SourceRow> {
    const file = await open(this.#path, "r");
    try {
      await this.#refuseOtherFile(file);
      for (const line of lines) {
        if (signal.aborted) return;
        const content = readLine(await bytesOf(file, line), this.#pipeline);
        if (content.pk !== line.pk || content.raw === null) throw this.#changed();
        this.#onTheirWay.set(line.number, line);
        yield { position: line.number, raw: content.raw };
      }
    } finally {
      await file.close();
    }
  }

  /** Whether a line has nothing to say any more. One that was appended meanwhile may tell of a later failure. */
  #leaves(line: LinePlace): boolean {
    const since = line.pk === null ? undefined : this.#leaving.get(line.pk);
    if (line.pk === null || since === undefined) return false;
    return line.start < this.#replayedEnd || line.failedAtMs < since;
  }

  #refuseUnknownCodes(): void {
    const known = new Set<string>(errorCodes);
    for (const { errorCode } of this.#contents.rows) known.add(errorCode);
    const unknown = this.#codes?.find((code) => !known.has(code));
    if (unknown === undefined) return;
    const [nearest] = closest(unknown, [...known], 1);
    const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
    throw new OptionError("replay", "codes", `no row of the file has failed with ${JSON.stringify(unknown)}${hint}`);
  }

  async #refuseOtherFile(file: FileHandle): Promise<void> {
    const { size } = await file.stat();
    if (size < this.#contents.end || (await identityOf(file)) !== this.#identity) throw this.#changed();
  }

  #changed(): RunError {
    const advice = "nothing was done to it; replay it again, rows that were written will not be written twice";
    return unreadable(this.#path, `was changed or replaced while it was replayed: ${advice}`);
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
      throw unreadable(this.#path, `can't be read (${messageOf(cause)})`, cause);
    }
  }
}

/** The path without links: what is beside it is to be beside the file itself. */
async function realPathOf(path: string): Promise<string> {
  try {
    const entry = await stat(path);
    if (entry.isDirectory()) throw unreadable(path, "is a folder; give the path of the file in it");
    if (!entry.isFile()) throw unreadable(path, "is not a regular file, and only one can be replayed");
    await access(path, constants.R_OK);
    return await realpath(path);
  } catch (cause) {
    if (cause instanceof LLMEtlError) throw cause;
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const missing = "does not exist: no row has failed so far, or the path is another";
    throw unreadable(path, isMissing ? missing : `can't be read (${messageOf(cause)})`, cause);
  }
}

function unreadable(path: string, problem: string, cause?: unknown): RunError {
  return new RunError("DEAD_LETTER_UNREADABLE", `the dead letter file ${path} ${problem}`, { cause });
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
