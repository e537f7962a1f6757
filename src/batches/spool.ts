import { createHash, type Hash } from "node:crypto";
import { mkdtemp, open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file of requests that is complete. */
export interface SpooledFile {
  readonly path: string;
  /** SHA-256, in hexadecimal digits. */
  readonly hash: string;
  readonly requests: number;
}

/** Lines of a file that grows, in a folder of this process alone. The file has mode 0600. */
export class SpoolFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash("sha256");
  #requests = 0;
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async begin(folder: string, name: string): Promise<SpoolFile> {
    const path = join(folder, name);
    return new SpoolFile(path, await open(path, "wx", 0o600));
  }

  get requests(): number {
    return this.#requests;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a line. Lines are in the file in the order of the calls. */
  async add(line: string): Promise<void> {
    const text = `${line}\n`;
    this.#requests += 1;
    this.#bytes += Buffer.byteLength(text);
    this.#hash.update(text);
    this.#writing = this.#writing.then(async () => void (await this.#file.write(text)));
    await this.#writing;
  }

  async end(): Promise<SpooledFile> {
    await this.#writing;
    await this.#file.close();
    return { path: this.#path, hash: this.#hash.digest("hex"), requests: this.#requests };
  }
}

/** Makes a folder that only this user may enter. */
export async function spoolFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "llm-etl-batch-"));
}

export async function removeSpool(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
