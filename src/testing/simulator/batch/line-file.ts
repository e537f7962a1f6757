import { open, rm, type FileHandle } from "node:fs/promises";
import { nowSeconds, type StoredFile, type StoredFiles } from "./stored-files.ts";

const bufferedCharacters = 256 * 1024;

/** An output or error file that is written line by line. */
export class LineFile {
  readonly #files: StoredFiles;
  readonly #name: string;
  #place: { readonly id: string; readonly path: string; readonly handle: FileHandle } | undefined;
  #buffer: string[] = [];
  #buffered = 0;
  #bytes = 0;

  constructor(files: StoredFiles, name: string) {
    this.#files = files;
    this.#name = name;
  }

  async add(line: string): Promise<void> {
    this.#buffer.push(line, "\n");
    this.#buffered += line.length;
    if (this.#buffered >= bufferedCharacters) await this.#flush();
  }

  /** Ends the file. Undefined for one without lines, unless `isAlwaysThere`. */
  async end(isAlwaysThere: boolean): Promise<StoredFile | undefined> {
    if (this.#buffer.length > 0 || isAlwaysThere) await this.#flush();
    if (this.#place === undefined) return undefined;
    const { id, path, handle } = this.#place;
    await handle.close();
    this.#place = undefined;
    const { bytes, name } = { bytes: this.#bytes, name: `${id}_${this.#name}.jsonl` };
    return { id, path, name, purpose: "batch_output", bytes, createdAt: nowSeconds() };
  }

  /** Removes a file that was not ended. */
  async drop(): Promise<void> {
    if (this.#place === undefined) return;
    await this.#place.handle.close();
    await rm(this.#place.path, { force: true });
  }

  async #flush(): Promise<void> {
    if (this.#place === undefined) {
      const place = await this.#files.place();
      this.#place = { ...place, handle: await open(place.path, "wx", 0o600) };
    }
    const content = Buffer.from(this.#buffer.join(""));
    this.#buffer = [];
    this.#buffered = 0;
    this.#bytes += content.length;
    await this.#place.handle.appendFile(content);
  }
}
