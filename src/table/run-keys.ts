import type { ColumnValues } from "../contracts/sink.ts";
import { KeySet } from "../files/key-set.ts";
import type { StoredKey, TableKeys } from "./dialect.ts";

/** The merge keys of the rows of a run: two rows for one row of the target are found, whether they wait, are written or did not change. */
export class RunKeys<Value> {
  readonly #keys: TableKeys<Value>;
  readonly #claimed: KeySet;
  /** By the target's own spelling. Opened where the writer knows it. */
  #written: KeySet | undefined;
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

  /** Claims the key for a row. False if an earlier row has it. */
  claim(values: ColumnValues, key: readonly Value[]): boolean {
    this.#count += 1;
    if (this.#claimed.add(this.#keys.parts(key), this.#count) !== undefined) return false;
    if (this.#keys.types === undefined) this.#checked.add(values);
    return true;
  }

  /** True if the row that the target has under this key is that of another row of the run. */
  isTaken(values: ColumnValues, own: readonly Value[], { claimed, written }: StoredKey): boolean {
    if (!this.#checked.has(values)) return false;
    if (this.#written?.has([written]) === true) return true;
    return this.#keys.parts(own)[0] !== claimed && this.#claimed.has([claimed]);
  }

  addWritten(rows: readonly { readonly values: ColumnValues }[], stored: readonly StoredKey[]): void {
    if (stored.length === 0) return;
    for (const { values } of rows) this.#checked.delete(values);
    this.#written ??= new KeySet();
    for (const { written } of stored) this.#written.add([written], 0);
  }

  close(): void {
    this.#claimed.close();
    this.#written?.close();
  }
}
