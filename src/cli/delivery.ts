import type { Output } from "./terminal.ts";

/** A pipe takes so many bytes (PIPE_BUF) as a whole or not at all: no line is torn, whenever the process ends. */
const chunkBytes = 4096;
/** A run waits while more than this waits for its reader. */
const fullBytes = 65_536;

/**
 * Stdout, to the last line and in order: what its reader has not taken yet waits here, and the process ends when all is
 * delivered, or nobody reads any more. A reader that is slow is waited for: see {@link Delivery.room}.
 */
export class Delivery implements Output {
  readonly #stream: Output;
  #waiting: string[] = [];
  #waitingBytes = 0;
  /** Lines that the stream was given and has not written yet. */
  #inFlight = 0;
  #isOver = false;
  #lostCount = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #delivered: PromiseWithResolvers<void> | undefined;

  constructor(stream: Output) {
    this.#stream = stream;
  }

  get isTTY(): boolean | undefined {
    return this.#stream.isTTY;
  }

  get columns(): number | undefined {
    return this.#stream.columns;
  }

  get rows(): number | undefined {
    return this.#stream.rows;
  }

  readonly hasColors = (): boolean => this.#stream.hasColors?.() === true;

  /** The texts that were not delivered, since it was given up. */
  get lostCount(): number {
    return this.#lostCount;
  }

  readonly write = (text: string): void => {
    if (this.#isOver) {
      this.#lostCount += this.#lostCount > 0 ? 1 : 0;
      return;
    }
    this.#waiting.push(text);
    this.#waitingBytes += text.length;
    this.#pump();
  };

  /** Undefined as long as there is room; else a promise of it. */
  room(): Promise<void> | undefined {
    if (this.#isOver || this.#waitingBytes < fullBytes) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Resolves when all is delivered, or given up. */
  async delivered(): Promise<void> {
    if (this.#isOver || this.#isEmpty()) return;
    this.#delivered ??= Promise.withResolvers();
    await this.#delivered.promise;
  }

  /** Drops what nobody has taken. */
  giveUp(): void {
    if (this.#isOver || this.#isEmpty()) return;
    this.#lostCount = this.#waiting.length + this.#inFlight;
    this.#end();
  }

  #isEmpty(): boolean {
    return this.#inFlight === 0 && this.#waiting.length === 0;
  }

  #pump(): void {
    while (this.#inFlight === 0 && this.#waiting.length > 0 && !this.#isOver) {
      const texts = this.#nextTexts();
      this.#inFlight = texts.length;
      this.#stream.write(texts.join(""), (error) => this.#onWritten(error));
    }
    if (this.#waitingBytes < fullBytes / 2) this.#resolveRoom();
    if (this.#isEmpty()) this.#delivered?.resolve();
  }

  /** As many texts as fit into a chunk, at least one. */
  #nextTexts(): readonly string[] {
    let bytes = 0;
    let count = 0;
    for (const text of this.#waiting) {
      bytes += Buffer.byteLength(text);
      if (count > 0 && bytes > chunkBytes) break;
      count += 1;
    }
    const texts = this.#waiting.splice(0, count);
    for (const text of texts) this.#waitingBytes -= text.length;
    return texts;
  }

  #onWritten(error: Error | null | undefined): void {
    if (this.#isOver) return;
    this.#inFlight = 0;
    // The reader has gone, or the disk is full: `main.ts` sees the stream's error, and says what is to be said.
    if (error !== null && error !== undefined) this.#end();
    else this.#pump();
  }

  #end(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#resolveRoom();
    this.#delivered?.resolve();
  }

  #resolveRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
