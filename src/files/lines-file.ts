import { existsSync, fstatSync } from "node:fs";
import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { FileError } from "./file-error.ts";
import { LinesLock } from "./lines-lock.ts";
import { isMountPoint } from "./mount-point.ts";
import { makePrivate } from "./private-file.ts";
import { realPath } from "./real-path.ts";
import { statusOf } from "./same-file.ts";

/** The files of a file of lines: itself, its lock, and the one that it is written anew as. A device or a named pipe has none of them. */
export function linesFilesOf(path: string): readonly string[] {
  const real = realPath(path);
  return (statusOf(real)?.isFile() ?? true) ? [real, `${real}.lock`, `${real}.partial`] : [real];
}

export interface LinesFileOptions {
  /** True: a line is written when the disk has it (fdatasync). False: when the operating system has it. */
  readonly durable: boolean;
  /**
   * A file of this size is renamed, with the time in its name, and a new one is begun; but for one that is mounted without its folder,
   * which nothing can rename. @default no limit
   */
  readonly maxBytes?: number;
}

interface WaitingLine {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A text file to append lines to, also for several processes at a time. It is created with mode 0600, and its folder with it.
 * Lines that are added in one turn of the event loop, or during a write, are written together: many writers cost few writes.
 */
export class LinesFile {
  readonly #path: string;
  readonly #isDurable: boolean;
  readonly #maxBytes: number;
  /** Undefined for a device or a named pipe, which are not written anew. */
  readonly #lock: LinesLock | undefined;
  #file: FileHandle;
  /** The file's size after the last write of ours: where it differs, others have written. */
  #end: number;
  #waiting: WaitingLine[] = [];
  #writing: Promise<void> | undefined;

  private constructor(path: string, options: LinesFileOptions, opened: Opened) {
    this.#path = path;
    this.#isDurable = options.durable;
    this.#maxBytes = isMountPoint(path) ? Infinity : (options.maxBytes ?? Infinity);
    this.#lock = opened.lock;
    this.#file = opened.file;
    this.#end = opened.size;
  }

  /** @throws {FileError} for an SQLite database, or a lock file that can't be used; an error of the file system */
  static async open(path: string, options: LinesFileOptions): Promise<LinesFile> {
    await mkdir(dirname(path), { recursive: true });
    const real = realPath(path); // a link stays, also where the file is renamed
    const opened = await openToAppend(real);
    let lock: LinesLock | undefined;
    try {
      lock = opened.isRegular ? LinesLock.open(real) : undefined;
      if (lock !== undefined) await lock.hold(async () => await endLastLine(opened.file, opened.size));
      return new LinesFile(real, options, { ...opened, lock });
    } catch (error) {
      lock?.close();
      await opened.file.close();
      throw error;
    }
  }

  /** Resolves when the line is in the file; rejects with the error of the file system, and then nothing of the line is. */
  async append(line: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#writing ??= this.#writeWaiting();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#lock?.close();
    await this.#file.close();
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      await setImmediate();
      const lines = this.#waiting;
      this.#waiting = [];
      const bytes = Buffer.from(lines.map(({ line }) => `${line}\n`).join(""));
      try {
        if (this.#lock === undefined) await writeWhole(this.#file, bytes);
        else await this.#lock.hold(async () => await this.#append(bytes));
        for (const { resolve } of lines) resolve();
      } catch (error) {
        for (const { reject } of lines) reject(error);
      }
    }
    this.#writing = undefined; // in the same turn as the loop's last look: the next line begins a new write
  }

  /** Appends whole lines while the lock is held: all of them, or on a full disk nothing. */
  async #append(bytes: Buffer): Promise<void> {
    await this.#follow();
    let { size } = fstatSync(this.#file.fd); // a thousandth of what another thread's would cost
    if (size > 0 && size >= this.#maxBytes) {
      await this.#rotate();
      ({ size } = fstatSync(this.#file.fd));
    }
    // One that died while it wrote has left the beginning of a line.
    if (size !== this.#end) size = await endLastLine(this.#file, size);
    try {
      await writeWhole(this.#file, bytes);
      if (this.#isDurable) await this.#file.datasync();
    } catch (error) {
      await this.#file.truncate(size).catch(() => {}); // what is left of it is ended before the next line
      this.#end = -1;
      throw error;
    }
    this.#end = size + bytes.length;
  }

  /** Goes on in the file that has the name now: a replay, or a run that has ended, may have replaced it, or somebody moved it away. */
  async #follow(): Promise<void> {
    const ours = fstatSync(this.#file.fd, { bigint: true });
    const there = statusOf(this.#path);
    if (there?.ino === ours.ino && there.dev === ours.dev) return;
    const before = this.#file;
    await mkdir(dirname(this.#path), { recursive: true });
    ({ file: this.#file } = await openToAppend(this.#path));
    this.#end = -1;
    await before.close();
  }

  /** Names the file anew that is followed, and so has the name now: whoever else appends to it waits for the lock. */
  async #rotate(): Promise<void> {
    try {
      await rename(this.#path, rotatedPath(this.#path));
    } catch (error) {
      if (statusOf(this.#path) !== undefined) throw error; // else somebody was faster who does not know the lock
    }
    await this.#follow();
  }
}

interface Opened {
  readonly file: FileHandle;
  readonly size: number;
  readonly lock: LinesLock | undefined;
}

async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, offset);
    offset += bytesWritten;
  }
}

/** Adds the time to a path, and a count if another file has that name already. */
export function rotatedPath(path: string): string {
  const extension = extname(path);
  const time = new Date().toISOString().replaceAll(/[-:.]/g, "");
  const base = `${path.slice(0, path.length - extension.length)}.${time}`;
  let free = `${base}${extension}`;
  for (let count = 2; existsSync(free); count += 1) free = `${base}-${count}${extension}`;
  return free;
}

/** The beginning of each SQLite database (https://www.sqlite.org/fileformat.html, 1.3.1). */
const databaseMark = "SQLite format 3\0";

/**
 * Opens a file for appending. One that others may read is made its owner's alone, where that can be.
 *
 * @throws {FileError} for an SQLite database, which lines would damage
 */
async function openToAppend(path: string): Promise<Omit<Opened, "lock"> & { readonly isRegular: boolean }> {
  const file = await open(path, "a+", 0o600);
  try {
    const status = await file.stat();
    if (!status.isFile()) return { file, size: 0, isRegular: false };
    await makePrivate(file, path, status.mode);
    if (status.size === 0) return { file, size: 0, isRegular: true };
    const { buffer: start } = await file.read(Buffer.alloc(databaseMark.length), 0, databaseMark.length, 0);
    if (start.toString("latin1") !== databaseMark) return { file, size: status.size, isRegular: true };
    throw new FileError("SQLITE_DATABASE", "it is an SQLite database; give another path");
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Ends a last line that was cut off, so that it spoils no other. Returns the file's size after that. */
async function endLastLine(file: FileHandle, size: number): Promise<number> {
  if (size === 0) return 0;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  if (buffer[0] === 0x0a) return size;
  await file.write("\n");
  return size + 1;
}
