import type { ColumnValues } from "../contracts/sink.ts";
import { KeySet } from "../files/key-set.ts";
import type { StoredKey, TableKeys } from "./dialect.ts";

/** The merge keys of the rows of a run: two rows for one row of the target are found, whether they wait, are written or did not change. */
export class RunKeys<Value> {
  readonly #keys: TableKeys<Value>;
  readonly #claimed: KeySet;
  /** By the target's own spelling. Opened where the writer knows it. */
  #written: KeySet | undefined;
  /** The same rows, and those that keep their place because they did not change, each by its own key with the texts of the target. */
  readonly #places: { written?: KeySet; kept?: KeySet } = {};
  /** Of rows that are being committed. */
  #pending: ReadonlySet<string> = new Set();
  /**
   * Rows that were checked and not written yet: two of them with one key are two rows of a run. What is written without a check, or
   * once more, replaces. Not kept where the types of a key say all: then no writer knows more.
   */
  readonly #checked = new WeakSet<ColumnValues>();
  #count = 0;

  constructor(keys: TableKeys<Value>) {
    this.#keys = keys;
    this.#claimed = new KeySet(keys.types);
  }

  /** Claims the key for a row; `values` are undefined of one that is not to be written. False if an earlier row has it. */
  claim(values: ColumnValues | undefined, key: readonly Value[]): boolean {
    this.#count += 1;
    if (this.#claimed.add(this.#keys.parts(key), this.#count) !== undefined) return false;
    if (values !== undefined && this.#keys.types === undefined) this.#checked.add(values);
    return true;
  }

  /** Claims the place of a row that did not change, and so is not written. False if a row of this run has been written there. */
  keep(unchangedKey: string): boolean {
    const place = placeOf(unchangedKey);
    if (place === undefined) return true;
    if (this.#pending.has(place) || this.#places.written?.has([place]) === true) return false;
    this.#places.kept ??= new KeySet();
    this.#places.kept.add([place], 0);
    return true;
  }

  /** True if the row that the target has under this key is that of another row of the run. */
  isTaken(values: ColumnValues, own: readonly Value[], { claimed, written }: StoredKey): boolean {
    if (!this.#checked.has(values)) return false;
    if (this.#written?.has([written]) === true || this.#places.kept?.has([claimed]) === true) return true;
    return this.#keys.parts(own)[0] !== claimed && this.#claimed.has([claimed]);
  }

  /** Rows with these keys are about to be committed, or are no longer. */
  expect(stored: readonly StoredKey[]): void {
    this.#pending = new Set(stored.map(({ claimed }) => claimed));
  }

  addWritten(rows: readonly { readonly values: ColumnValues }[], stored: readonly StoredKey[]): void {
    if (stored.length === 0) return;
    for (const { values } of rows) this.#checked.delete(values);
    this.#written ??= new KeySet();
    this.#places.written ??= new KeySet();
    for (const { claimed, written } of stored) {
      this.#written.add([written], 0);
      this.#places.written.add([claimed], 0);
    }
  }

  close(): void {
    this.#claimed.close();
    this.#written?.close();
    this.#places.written?.close();
    this.#places.kept?.close();
  }
}

/** Not in what earlier versions wrote: they put down a key of their own folding, which may be that of two rows. */
const mark = "stored ";

/** A row's key for the journal: its place in the target, as the target spells it. */
export function storedText({ claimed }: StoredKey): string {
  return `${mark}${claimed}`;
}

function placeOf(key: string): string | undefined {
  return key.startsWith(mark) ? key.slice(mark.length) : undefined;
}
