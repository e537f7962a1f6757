import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, stat } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { setImmediate } from "node:timers/promises";

export interface LinesFileOptions {
  /** Whether a line counts as written only when the disk has it (fdatasync), not the operating system alone. */
  readonly durable: boolean;
  /** A file that has reached this size is renamed, with the time in its name, and a new one is begun. @default never */
  readonly maxBytes?: number;
}

interface WaitingLine {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A text file that lines are appended to, created with mode 0600 and its folder with it. Lines that are added in one turn
 * of the event loop, or while a write is under way, go together into the next one, so many writers cost few writes.
 */
export class LinesFile {
  readonly #path: string;
  readonly #options: LinesFileOptions;
  #file: FileHandle;
  #size: number;
  /** Whether a write that failed may have left the beginning of a line. */
  #isTorn = false;
  #waiting: WaitingLine[] = [];
  #writing: Promise<void> | undefined;

  private constructor(path: string, options: LinesFileOptions, file: FileHandle, size: number) {
    this.#path = path;
    this.#options = options;
    this.#file = file;
    this.#size = size;
  }

  static async open(path: string, options: LinesFileOptions): Promise<LinesFile> {
    await mkdir(dirname(path), { recursive: true });
    const { file, size } = await openToAppend(path);
    return new LinesFile(path, options, file, size);
  }

  /** Resolves when the line is in the file; rejects with what the file system said. */
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
    this.#writing = undefined; // in the same turn as the loop's last look: a line added from now on begins a new one
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

  /** Goes on in the file that stands under the name now: a replay may have put another in its place. */
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

/** The number by which the file system knows the file, undefined if there is none. */
async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The path with the time in it, of no file yet; files rotated within one millisecond are counted. */
export function rotatedPath(path: string): string {
  const extension = extname(path);
  const time = new Date().toISOString().replaceAll(/[-:.]/g, "");
  const base = `${path.slice(0, path.length - extension.length)}.${time}`;
  let free = `${base}${extension}`;
  for (let count = 2; existsSync(free); count += 1) free = `${base}-${count}${extension}`;
  return free;
}

/** What an SQLite database begins with (https://www.sqlite.org/fileformat.html, 1.3.1). */
const databaseMark = "SQLite format 3\0";

/**
 * Opens for appending. A last line that a crash cut off is ended first, so that it spoils no other. A database, to which lines
 * would be damage, is refused.
 */
async function openToAppend(path: string): Promise<{ file: FileHandle; size: number }> {
  const file = await open(path, "a+", 0o600);
  const status = await file.stat();
  if (!status.isFile() || status.size === 0) return { file, size: 0 };
  const { buffer: start } = await file.read(Buffer.alloc(databaseMark.length), 0, databaseMark.length, 0);
  if (start.toString("latin1") === databaseMark) {
    await file.close();
    throw new Error("it is an SQLite database: give another path");
  }
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, status.size - 1);
  if (buffer[0] === 0x0a) return { file, size: status.size };
  await file.write("\n");
  return { file, size: status.size + 1 };
}
