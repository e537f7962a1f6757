export interface BatcherOptions<Item> {
  /** A batch closes at this size, */
  readonly size: number;
  /** or so long after its first item, in milliseconds. */
  readonly intervalMs: number;
  /** The size of an item. @default 1 */
  readonly sizeOf?: ((item: Item) => number) | undefined;
  /** Called with one batch at a time. Must not reject. */
  readonly write: (batch: readonly Item[]) => Promise<void>;
}

/** Gathers items into batches. While one batch is being written the next one fills; when that is full, `add` waits. */
export class Batcher<Item> {
  readonly #options: BatcherOptions<Item>;
  #filling: Item[] = [];
  #filled = 0;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #overdue = false;

  constructor(options: BatcherOptions<Item>) {
    this.#options = options;
  }

  /** Resolves when the item is in a batch that has room: not when it is written. */
  async add(item: Item): Promise<void> {
    while (this.#isFull()) await (this.#writing ?? this.#write());
    this.#filling.push(item);
    this.#filled += this.#options.sizeOf?.(item) ?? 1;
    if (this.#isFull() && this.#writing === undefined) void this.#write();
    else this.#timer ??= setTimeout(this.#close, this.#options.intervalMs);
  }

  /** Writes all that was added, and resolves when that is done. */
  async drain(): Promise<void> {
    while (this.#writing !== undefined || this.#filling.length > 0) await (this.#writing ?? this.#write());
  }

  #isFull(): boolean {
    return this.#filled >= this.#options.size;
  }

  readonly #close = (): void => {
    if (this.#writing === undefined) void this.#write();
    else this.#overdue = true;
  };

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#overdue = false;
    const batch = this.#filling;
    this.#filling = [];
    this.#filled = 0;
    this.#writing = this.#options.write(batch).finally(() => {
      this.#writing = undefined;
      if (this.#isFull() || this.#overdue) void this.#write();
    });
    return this.#writing;
  }
}
