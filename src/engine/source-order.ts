import { TransientMap } from "./transient-map.ts";

/**
 * Puts rows that finish in any order back into the order in which they were read, for a sink that asks for it.
 * At most `window` rows are ahead of the oldest unfinished one: beyond that, reading waits.
 */
export class SourceOrder<Item> {
  readonly #window: number;
  readonly #release: (item: Item) => Promise<void>;
  readonly #settled = new TransientMap<number, Item | undefined>();
  #next = 0;
  #releasing = false;
  #wake: (() => void) | undefined;

  constructor(window: number, release: (item: Item) => Promise<void>) {
    this.#window = window;
    this.#release = release;
  }

  /** True while a finished row waits for one that was read before it. */
  get isHolding(): boolean {
    for (const [, item] of this.#settled.entries()) if (item !== undefined) return true;
    return false;
  }

  /** Resolves when the row with this sequence number (from 0, one caller) may start. */
  async admit(sequence: number): Promise<void> {
    while (sequence >= this.#next + this.#window) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Says that a row has ended: with an item to pass on, or (a failed row) without one. */
  async ended(sequence: number, item?: Item): Promise<void> {
    this.#settled.set(sequence, item);
    if (this.#releasing) return;
    this.#releasing = true;
    while (this.#settled.has(this.#next)) {
      const ready = this.#settled.get(this.#next);
      this.#settled.delete(this.#next);
      this.#next += 1;
      if (ready !== undefined) await this.#release(ready);
      this.#wake?.();
    }
    this.#releasing = false;
  }
}
