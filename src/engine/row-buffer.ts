import { setImmediate } from "node:timers/promises";
import type { SourceRow } from "../contracts/source.ts";

/** Rows of a source that are read ahead of their use, as many as are wanted next. */
export class RowBuffer {
  readonly #rows: AsyncIterator<SourceRow>;
  readonly #limit: number;
  #buffered: SourceRow[] = [];
  #size = 0;
  /** Room for the next page, in rows and in characters and bytes. */
  #room = { rows: 0, size: 0 };
  #hasEnded = false;
  #error: { readonly error: unknown } | undefined;
  #hasBegun = false;
  #onRoom: (() => void) | undefined;
  #onRow: (() => void) | undefined;

  constructor(rows: AsyncIterator<SourceRow>, limit: number) {
    this.#rows = rows;
    this.#limit = limit;
  }

  /**
   * Takes the rows that are there, at least one, and what the source has without waiting; none after the last.
   *
   * @throws the source's own error, once its rows before that were taken
   */
  async take(rowCount: number, size: number): Promise<{ readonly rows: readonly SourceRow[]; readonly size: number }> {
    this.#room = { rows: rowCount, size };
    this.#onRoom?.();
    if (!this.#hasBegun) void this.#fill();
    this.#hasBegun = true;
    while (this.#buffered.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#onRow = resolve;
      });
    }
    if (!this.#isFull && !this.#hasEnded) await setImmediate();
    const taken = { rows: this.#buffered, size: this.#size };
    if (taken.rows.length === 0 && this.#error !== undefined) throw this.#error.error;
    this.#buffered = [];
    this.#size = 0;
    this.#onRoom?.();
    return taken;
  }

  /** Says that no more rows are wanted. */
  async close(): Promise<void> {
    this.#hasEnded = true;
    this.#onRoom?.();
    this.#onRow?.();
    await this.#rows.return?.();
  }

  get #isFull(): boolean {
    return this.#buffered.length >= this.#room.rows || this.#size >= this.#room.size;
  }

  async #fill(): Promise<void> {
    try {
      for (let count = 0; count < this.#limit && !this.#hasEnded; count += 1) {
        const next = await this.#rows.next();
        if (next.done === true) break;
        this.#buffered.push(next.value);
        this.#size += sizeOf(next.value);
        this.#onRow?.();
        while (this.#isFull && !this.#hasEnded) {
          await new Promise<void>((resolve) => {
            this.#onRoom = resolve;
          });
        }
      }
    } catch (error) {
      this.#error = { error };
    }
    this.#hasEnded = true;
    this.#onRow?.();
  }
}

/** The characters and bytes of a row's values, one level deep. */
function sizeOf(row: SourceRow): number {
  let size = 0;
  try {
    for (const value of Object.values(row.raw ?? {})) {
      if (typeof value === "string") size += value.length;
      else if (value instanceof Uint8Array) size += value.byteLength;
    }
  } catch {
    // It throws when it is looked at: the engine says so.
  }
  return size;
}
