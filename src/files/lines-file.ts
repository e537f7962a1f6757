import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, stat } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { FileError } from "./file-error.ts";
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
  /** A file of this size is renamed, with the time in its name, and a new one is begun. @default no limit */
  readonly maxBytes?: number;
}

interface WaitingLine {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A text file to append lines to. It is created with mode 0600, and its folder with it. Lines that are added in one turn
 * of the event loop, or during a write, are written together: many writers cost few writes.
 */
export class LinesFile {
  readonly #path: string;
  readonly #options: LinesFileOptions;
  #file: FileHandle;
  #size: number;
  /** True after a failed write, which may have left the beginning of a line. */
  #isTorn = false;
  #waiting: WaitingLine[] = [];
  #writing: Promise<void> | undefined;

  private constructor(path: string, options: LinesFileOptions, file: FileHandle, size: number) {
    this.#path = path;
    this.#options = options;
    this.#file = file;
    this.#size = size;
  }

  /** @throws {FileError} for an SQLite database; an error of the file system */
  static async open(path: string, options: LinesFileOptions): Promise<LinesFile> {
    await mkdir(dirname(path), { recursive: true });
    const { file, size } = await openToAppend(path);
    return new LinesFile(path, options, file, size);
  }

  /** Resolves when the line is in the file; rejects with the error of the file system. */
  async append(line: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#writing ??= this.#writeWaiting();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      await setImmediate();
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        const start = this.#isTorn ? "\n" : "";
        await this.#write(Buffer.from(start + lines.map(({ line }) => `${line}\n`).join("")));
        for (const { resolve } of lines) resolve();
      } catch (error) {
        for (const { reject } of lines) reject(error);
      }
    }
    this.#writing = undefined; // in the same turn as the loop's last look: the next line begins a new write
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.#options.durable) await this.#follow();
    if (this.#size > 0 && this.#size >= (this.#options.maxBytes ?? Infinity)) await this.#rotate();
    for (let offset = 0; offset < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, offset);
      offset += bytesWritten;
      this.#size += bytesWritten;
      this.#isTorn = offset < bytes.length;
    }
    if (this.#options.durable) await this.#file.datasync();
  }

  /** Goes on in the file that has the name now: a replay may have replaced it. */
  async #follow(): Promise<void> {
    const ours = await this.#file.stat();
    if (!ours.isFile() || ours.ino === (await inodeOf(this.#path))) return;
    const before = this.#file;
    ({ file: this.#file, size: this.#size } = await openToAppend(this.#path));
    this.#isTorn = false;
    await before.close();
  }

  async #rotate(): Promise<void> {
    const ours = await this.#file.stat();
    // Another process that appends to the same file may have rotated it already.
    if (ours.ino === (await inodeOf(this.#path))) await rename(this.#path, rotatedPath(this.#path));
    const before = this.#file;
    ({ file: this.#file, size: this.#size } = await openToAppend(this.#path));
    this.#isTorn = false;
    await before.close();
  }
}

/** The file's number in the file system; undefined if there is no file. */
async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
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
 * Opens a file for appending. If a crash cut off its last line, the line is ended first, so that it spoils no other.
 *
 * @throws {FileError} for an SQLite database, which lines would damage
 */
async function openToAppend(path: string): Promise<{ file: FileHandle; size: number }> {
  const file = await open(path, "a+", 0o600);
  const status = await file.stat();
  if (!status.isFile() || status.size === 0) return { file, size: 0 };
  const { buffer: start } = await file.read(Buffer.alloc(databaseMark.length), 0, databaseMark.length, 0);
  if (start.toString("latin1") === databaseMark) {
    await file.close();
    throw new FileError("SQLITE_DATABASE", "it is an SQLite database; give another path");
  }
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, status.size - 1);
  if (buffer[0] === 0x0a) return { file, size: status.size };
  await file.write("\n");
  return { file, size: status.size + 1 };
}
