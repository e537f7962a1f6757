import { keyText } from "./changes.ts";
import type { Looks } from "./store.ts";
import type { Line, Table } from "./tables.ts";

interface Waiting {
  readonly keys: Map<string, Line>;
  readonly found: Promise<ReadonlyMap<string, Line>>;
}

/** Look-ups by key, gathered: all of one turn of the event loop go in one round trip for each table. */
export class GatheredLooks {
  readonly #find: Looks["find"];
  readonly #waiting = new Map<Table, Waiting>();

  constructor(find: Looks["find"]) {
    this.#find = find;
  }

  /** The lines that have one of these keys; the columns are the table's key. */
  async find(table: Table, keys: readonly Line[]): Promise<readonly Line[]> {
    if (keys.length === 0) return [];
    const texts = keys.map((key) => keyText(key, table.key));
    const waiting = this.#waiting.get(table) ?? this.#begin(table);
    for (const [index, key] of keys.entries()) waiting.keys.set(texts[index] ?? "", key);
    const found = await waiting.found;
    return [...new Set(texts)].map((text) => found.get(text)).filter((line) => line !== undefined);
  }

  #begin(table: Table): Waiting {
    const keys = new Map<string, Line>();
    const turn = new Promise((resolve) => setImmediate(resolve));
    const found = turn.then(async () => {
      this.#waiting.delete(table);
      const lines = await this.#find(table, table.key, [...keys.values()]);
      return new Map(lines.map((line) => [keyText(line, table.key), line]));
    });
    const waiting = { keys, found };
    this.#waiting.set(table, waiting);
    return waiting;
  }
}
