import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatedFile } from "./words.ts";

/** A file on the simulator's disk. */
export interface StoredFile {
  readonly id: string;
  readonly name: string;
  readonly purpose: SimulatedFile["purpose"];
  readonly path: string;
  readonly bytes: number;
  /** Unix time in seconds. */
  readonly createdAt: number;
}

interface Entry {
  readonly file: StoredFile;
  downloads: number;
  isDeleted: boolean;
}

/** The files of the Files API: on disk, in a temporary folder that only the user of this process can read, until they are closed. */
export class StoredFiles {
  readonly #entries = new Map<string, Entry>();
  #folder: Promise<string> | undefined;
  #count = 0;

  /** The id and the path of a file to come. */
  async place(): Promise<{ readonly id: string; readonly path: string }> {
    this.#folder ??= mkdtemp(join(tmpdir(), "llm-etl-simulator-"));
    this.#count += 1;
    const id = `file-simulator-${this.#count}`;
    return { id, path: join(await this.#folder, id) };
  }

  /** Adds a file that stands at its place. */
  add(file: StoredFile): StoredFile {
    this.#entries.set(file.id, { file, downloads: 0, isDeleted: false });
    return file;
  }

  /** The file; undefined for one that is unknown or deleted. */
  get(id: string): StoredFile | undefined {
    const entry = this.#entries.get(id);
    return entry?.isDeleted === false ? entry.file : undefined;
  }

  downloaded(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.downloads += 1;
  }

  async delete(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.isDeleted = true;
    await rm(entry.file.path, { force: true });
  }

  list(): readonly SimulatedFile[] {
    return [...this.#entries.values()].map(({ file: { id, purpose, bytes }, downloads, isDeleted }) => {
      return { id, purpose, bytes, downloads, isDeleted };
    });
  }

  /** Forgets all files. They stay on the disk until `remove`. */
  clear(): void {
    this.#entries.clear();
  }

  /** Removes all files of before from the disk when `afterwards` is fulfilled. */
  async remove(afterwards: Promise<void>): Promise<void> {
    const folder = this.#folder;
    this.#folder = undefined;
    await afterwards;
    if (folder !== undefined) await rm(await folder, { recursive: true, force: true });
  }
}

/** The Unix time in seconds. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
