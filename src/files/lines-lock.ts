import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { FileError } from "./file-error.ts";
import { OpenLock } from "./file-lock.ts";
import { realPath } from "./real-path.ts";

/** Who appends holds it for moments, who writes the file anew for as long as it takes to copy it. */
const patienceMs = 60_000;
const lookEveryMs = 5;

/** The lock of a file that several append to: while it is held nobody else appends to the file, or writes it anew. */
export class LinesLock {
  readonly #path: string;
  readonly #lock: OpenLock | undefined;

  private constructor(path: string, lock: OpenLock | undefined) {
    this.#path = path;
    this.#lock = lock;
  }

  /**
   * Opens the lock of a file, `<path>.lock`; `path` has no links. In a folder that can't be written to there is none, and nobody
   * can write the file anew either.
   *
   * @throws {FileError} for a lock file that can't be used
   */
  static open(path: string): LinesLock {
    const lockPath = `${path}.lock`;
    try {
      return new LinesLock(lockPath, new OpenLock(lockPath));
    } catch (error) {
      if (mayWriteTo(dirname(path))) throw error;
      return new LinesLock(lockPath, undefined);
    }
  }

  /** Does `work` while the lock is held. @throws {FileError} LOCKED if another process holds it for a minute */
  async hold<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#take();
    try {
      return await work();
    } finally {
      this.#lock?.free();
    }
  }

  /** Takes the lock for a moment, where nobody holds it. */
  tryOnce(): void {
    if (this.#lock?.take() === true) this.#lock.free();
  }

  close(): void {
    this.#lock?.close();
  }

  async #take(): Promise<void> {
    const lock = this.#lock;
    if (lock === undefined || lock.take()) return;
    const giveUpAtMs = performance.now() + patienceMs;
    do {
      await setTimeout(lookEveryMs * (0.5 + Math.random()));
      if (lock.take()) return;
    } while (performance.now() < giveUpAtMs);
    throw new FileError("LOCKED", `another process has held the lock file ${this.#path} for a minute`);
  }
}

/** Does `work` while the lock of a file is held. @throws {FileError} as {@link LinesLock} */
export async function holding<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  const lock = LinesLock.open(path);
  try {
    return await lock.hold(work);
  } finally {
    lock.close();
  }
}

/** Looks whether the lock of a file could be taken, and makes none. @throws {FileError} for a lock file that can't be used */
export async function requireUsableLock(path: string): Promise<void> {
  const real = realPath(path);
  if (!existsSync(`${real}.lock`)) return;
  const lock = LinesLock.open(real);
  try {
    lock.tryOnce();
  } finally {
    lock.close();
  }
}

function mayWriteTo(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
