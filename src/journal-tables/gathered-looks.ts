import { keyText } from "./changes.ts";
import type { Looks } from "./store.ts";
import type { Line, Table } from "./tables.ts";

interface Waiting {
  readonly asked: (readonly Line[])[];
  readonly found: Promise<readonly Line[]>;
  /** By key, for more than one asker. */
  byKey?: ReadonlyMap<string, Line>;
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
    const waiting = this.#waiting.get(table) ?? this.#begin(table);
    waiting.asked.push(keys);
    const found = await waiting.found;
    if (waiting.asked.length === 1) return found;
    const byKey = (waiting.byKey ??= new Map(found.map((line) => [keyText(line, table.key), line])));
    const texts = new Set(keys.map((key) => keyText(key, table.key)));
    return [...texts].map((text) => byKey.get(text)).filter((line) => line !== undefined);
  }

  #begin(table: Table): Waiting {
    const asked: (readonly Line[])[] = [];
    const turn = new Promise((resolve) => setImmediate(resolve));
    const found = turn.then(async () => {
      this.#waiting.delete(table);
      return await this.#find(table, table.key, distinct(asked, table));
    });
    const waiting = { asked, found };
    this.#waiting.set(table, waiting);
    return waiting;
  }
}

function distinct(asked: readonly (readonly Line[])[], { key }: Table): readonly Line[] {
  return [...new Map(asked.flatMap((keys) => keys.map((each) => [keyText(each, key), each]))).values()];
}
