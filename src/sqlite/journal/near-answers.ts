import type { StoredAnswer } from "../../contracts/journal.ts";

/** So many answers are read at once: half of what each costs alone. */
const blockSize = 32;
/** So many blocks are held, and so many are known in which an answer was found. */
const mostBlocks = 8;

/** By fingerprint, the answers whose numbers lie between two, both included. */
export type ReadBlock = (first: number, last: number) => Map<string, StoredAnswer>;

/**
 * Answers that stand beside those that were found lately: rows mostly come in the order in which their answers were saved. A block is read
 * where two of its answers were looked up alone, so that answers in no order cost little more.
 */
export class NearAnswers {
  readonly #read: ReadBlock;
  /** The newest first, here and below. Each is a Map of its own: see `engine/transient-map.ts`. */
  #blocks: readonly Map<string, StoredAnswer>[] = [];
  #foundIn: readonly number[] = [];

  constructor(read: ReadBlock) {
    this.#read = read;
  }

  get(fingerprint: string): StoredAnswer | undefined {
    for (const block of this.#blocks) {
      const answer = block.get(fingerprint);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  /** Notes that an answer with this number was looked up alone. */
  found(number: number): void {
    const block = Math.floor(number / blockSize);
    if (!this.#foundIn.includes(block)) {
      this.#foundIn = [block, ...this.#foundIn.slice(0, mostBlocks - 1)];
      return;
    }
    const first = block * blockSize;
    this.#blocks = [this.#read(first, first + blockSize - 1), ...this.#blocks.slice(0, mostBlocks - 1)];
  }

  drop(fingerprint: string): void {
    for (const block of this.#blocks) block.delete(fingerprint);
  }
}
