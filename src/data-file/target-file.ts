import { type BigIntStats, existsSync } from "node:fs";
import { access, constants, type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { RowsAside, SinkRun } from "../contracts/sink.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { SinkError } from "../errors/sink.ts";
import { type FileLock, lockFile } from "../files/file-lock.ts";
import { statusOf } from "../files/same-file.ts";
import { syncFolder } from "../files/sync-folder.ts";
import { requireFolder } from "../files/writable.ts";
import { requireReplaceable, type TargetPlace, targetPlace } from "./target-place.ts";

/** The number of rows that a run had, of the source and in the file. */
export interface RowCounts {
  readonly readCount: number;
  readonly writtenCount: number;
}

/** A file that is written under another name, and then put in its place. */
export class TargetFile {
  readonly #owner: string;
  readonly #place: TargetPlace;
  readonly #run: SinkRun;
  readonly #file: FileHandle;
  readonly #lock: FileLock;
  /** Bytes of all that was appended whole: what failed half-way is written over. */
  #written = 0;
  #isClosed = false;

  private constructor(owner: string, place: TargetPlace, run: SinkRun, opened: { file: FileHandle; lock: FileLock }) {
    this.#owner = owner;
    this.#place = place;
    this.#run = run;
    this.#file = opened.file;
    this.#lock = opened.lock;
  }

  /** @throws {SinkError} if the file can't be made or put in its place, or another run is writing it */
  static async open(owner: string, path: string, run: SinkRun): Promise<TargetFile> {
    const place = targetPlace(path, run);
    await requirePlace(owner, place);
    return new TargetFile(owner, place, run, await createFile(owner, place));
  }

  /** Looks at all that `open` looks at. Nothing is made: not the folder, the file or its lock. @throws {SinkError} as `open` */
  static async preflight(owner: string, path: string, run: SinkRun): Promise<void> {
    const place = targetPlace(path, run);
    const { partialPath, lockPath } = place;
    await requirePlace(owner, place);
    try {
      await requireFolder(dirname(partialPath));
    } catch (cause) {
      throw cantBeCreated(owner, partialPath, cause);
    }
    if (!existsSync(lockPath)) return;
    let lock: FileLock | undefined;
    try {
      lock = lockFile(lockPath);
    } catch (cause) {
      throw cantBeCreated(owner, partialPath, cause);
    }
    if (lock === undefined) throw inUse(owner, partialPath);
    await lock.release();
  }

  get partialPath(): string {
    return this.#place.partialPath;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Appends a text or bytes: whole, or not at all. */
  async append(piece: string | Uint8Array): Promise<void> {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    const { partialPath } = this.#place;
    try {
      await writeAll(this.#file, bytes, this.#written);
    } catch (cause) {
      throw new SinkError(this.#owner, `${partialPath} can't be written (${messageOf(cause)})`, {
        cause: await cutBack(this.#file, this.#written, cause),
        facts: { where: partialPath, code: codeOf(cause), hint: "is the disk full?" },
      });
    }
    this.#written += bytes.length;
  }

  /** Leaves what was written under its other name. A second call, also of {@link publish}, does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.#file.close();
    } finally {
      await this.#lock.release();
    }
  }

  /**
   * Puts the file in its place, with the owner and the mode of what was there. Rows that may not replace what an earlier run
   * wrote stay aside: returns where. Undefined where they are in their place.
   */
  async publish(counts: RowCounts): Promise<RowsAside | undefined> {
    if (this.#isClosed) return undefined;
    const { path, partialPath, limitPath } = this.#place;
    const mayReplace = this.#run.replace === true || statusOf(path) === undefined;
    try {
      if (!mayReplace && counts.readCount > 0 && counts.writtenCount === 0) {
        await this.#file.sync();
        return { path: partialPath, reason: "no-row-succeeded" };
      }
      const target = mayReplace || limitPath === undefined ? path : limitPath;
      await this.#moveTo(target);
      return target === path ? undefined : { path: target, reason: "limit" };
    } finally {
      await this.close();
    }
  }

  async #moveTo(target: string): Promise<void> {
    const owner = this.#owner;
    const { partialPath } = this.#place;
    try {
      const before = await requireReplaceable(owner, target); // it may have changed since the run began
      if (before !== undefined) await keepOwnerAndMode(this.#file, before);
      await this.#file.sync();
      await requireOwnFile(owner, this.#file, partialPath);
      await rename(partialPath, target);
    } catch (cause) {
      if (cause instanceof SinkError) throw cause;
      const hint = "what was written is in the .partial file beside it";
      const facts = { where: target, code: codeOf(cause), hint };
      throw new SinkError(owner, `the file can't be finished (${messageOf(cause)})`, { cause, facts });
    }
    try {
      await syncFolder(dirname(target));
    } catch (cause) {
      const problem = `the file is complete, but its folder can't be synced to disk (${messageOf(cause)}); a power cut may undo its renaming`;
      throw new SinkError(owner, problem, { cause, facts: { where: dirname(target), code: codeOf(cause) } });
    }
  }
}

async function requirePlace(owner: string, { path, limitPath }: TargetPlace): Promise<void> {
  const before = await requireReplaceable(owner, path);
  if (before === undefined || limitPath === undefined) return;
  if (limitPath === path) {
    const facts = { where: path, hint: "remove the link, or set replace: true (--replace)" };
    throw new SinkError(
      owner,
      "a link has the name of the file beside it, for rows of a run with limit, and leads to it",
      { facts },
    );
  }
  await requireReplaceable(owner, limitPath);
}

/** The `.partial` file, and the lock on it: what an earlier run left is removed, but not what another is writing. */
async function createFile(
  owner: string,
  { partialPath, lockPath }: TargetPlace,
): Promise<{ file: FileHandle; lock: FileLock }> {
  let lock: FileLock | undefined;
  try {
    await mkdir(dirname(partialPath), { recursive: true });
    await access(dirname(partialPath), constants.W_OK);
    lock = lockFile(lockPath);
    if (lock === undefined) throw inUse(owner, partialPath);
    await rm(partialPath, { force: true }); // else an old file would keep its mode, and the folder stay unproven
    return { file: await open(partialPath, "wx", 0o600), lock };
  } catch (cause) {
    await lock?.release();
    if (cause instanceof SinkError) throw cause;
    throw cantBeCreated(owner, partialPath, cause);
  }
}

function inUse(owner: string, partialPath: string): SinkError {
  const hint = "wait until it has ended, or give this run another path";
  return new SinkError(owner, `another run is writing to ${partialPath}`, { facts: { where: partialPath, hint } });
}

function cantBeCreated(owner: string, partialPath: string, cause: unknown): SinkError {
  const hint = 'check the option "filePath" and who may write to its folder';
  const facts = { where: partialPath, code: codeOf(cause), hint };
  return new SinkError(owner, `${partialPath} can't be created (${messageOf(cause)})`, { cause, facts });
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Takes half a text off the end. Returns all that went wrong. */
async function cutBack(file: FileHandle, length: number, cause: unknown): Promise<unknown> {
  try {
    await file.truncate(length);
    return cause;
  } catch (error) {
    return new AggregateError([cause, error], messageOf(cause), { cause });
  }
}

/** Whoever could read the file before still can. Owner first: to change it takes some bits of the mode away. */
async function keepOwnerAndMode(file: FileHandle, { uid, gid, mode }: BigIntStats): Promise<void> {
  const ours = await file.stat({ bigint: true });
  if (process.geteuid !== undefined && (ours.uid !== uid || ours.gid !== gid)) {
    await file.chown(Number(uid), Number(gid));
  }
  await file.chmod(Number(mode & 0o7777n));
}

/** The file under the name may no longer be the one that this run wrote: then it is somebody else's, and not to be published. */
async function requireOwnFile(owner: string, file: FileHandle, partialPath: string): Promise<void> {
  const ours = await file.stat({ bigint: true });
  const there = statusOf(partialPath);
  if (there?.ino === ours.ino && there.dev === ours.dev) return;
  const problem = there === undefined ? "was removed" : "was replaced by another file";
  const consequence = "what this run wrote is lost, and nothing was put in its place";
  throw new SinkError(owner, `${partialPath} ${problem} while this run was writing to it: ${consequence}; run again`);
}
