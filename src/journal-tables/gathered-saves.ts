import type { Lease } from "../contracts/journal-work.ts";
import { type Change, groupsOf } from "./changes.ts";
import { isHeld } from "./leases.ts";
import type { Store, Transaction } from "./store.ts";

/** Something to be saved: changes, or work of its own in the transaction. */
export interface Save {
  readonly changes?: readonly Change[] | undefined;
  readonly work?: ((transaction: Transaction) => Promise<unknown>) | undefined;
  /** Without it the save does nothing, and results in false. */
  readonly lease?: Lease | undefined;
  /**
   * Does its work behind all others of the transaction: it locks a line that sessions of other pipelines wait for, and one that waited for a line with
   * that one locked would wait in a circle. No other session of the run has to be kept from saving.
   */
  readonly isLast?: boolean | undefined;
}

/** Of the texts of one transaction, beyond its first save: a server, and this process, have them all in memory several times over. */
const mostCharacters = 16_000_000;

interface Waiting {
  readonly save: Save;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Saves, gathered: one transaction is under way at a time, and what comes meanwhile goes in the next. */
export class GatheredSaves {
  readonly #store: Pick<Store, "save" | "transact">;
  #waiting: Waiting[] = [];
  #saving: Promise<void> | undefined;
  #number = 0;

  constructor(store: Pick<Store, "save" | "transact">) {
    this.#store = store;
  }

  async save(save: Save): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ save, resolve, reject });
      this.#saving ??= this.#saveAll();
    });
  }

  /** Resolves when nothing is to be saved any more. */
  async settled(): Promise<void> {
    await this.#saving;
  }

  async #saveAll(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      await this.#saveBatch(this.#next());
    }
    this.#saving = undefined;
  }

  /** Those that are saved together, off the beginning of those that wait. */
  #next(): readonly Waiting[] {
    let characters = 0;
    const end = this.#waiting.findIndex(({ save }, index) => {
      characters += lengthOf(save);
      return index > 0 && characters > mostCharacters;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  /** A batch that can't be saved is halved, until those that are to blame stand alone: what others have is paid for, too. */
  async #saveBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#commit(batch.map(({ save }) => save));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index]);
    } catch (error) {
      const half = Math.ceil(batch.length / 2);
      if (batch.length === 1) for (const { reject } of batch) reject(error);
      else for (const part of [batch.slice(0, half), batch.slice(half)]) await this.#saveBatch(part);
    }
  }

  async #commit(saves: readonly Save[]): Promise<readonly unknown[]> {
    this.#number += 1;
    const isPlain = saves.every(({ work, lease }) => work === undefined && lease === undefined);
    if (isPlain) {
      await this.#store.save(this.#number, groupsOf(saves.flatMap(({ changes = [] }) => changes)));
      return saves.map(() => true);
    }
    const isAlone = saves.some(({ work, isLast = false }) => work !== undefined && !isLast);
    let results: readonly unknown[] = [];
    await this.#store.transact({ number: this.#number, isAlone }, async (transaction) => {
      results = await resultsOf(saves, transaction); // those of a commit in doubt, too: it is not done again where it was stored
    });
    return results;
  }
}

function lengthOf({ changes = [] }: Save): number {
  let length = 0;
  for (const { line } of changes)
    for (const cell of Object.values(line)) if (typeof cell === "string") length += cell.length;
  return length;
}

async function resultsOf(saves: readonly Save[], transaction: Transaction): Promise<readonly unknown[]> {
  const results: unknown[] = [];
  const held = new Map<Lease, boolean>();
  let changes: Change[] = [];
  const apply = async (): Promise<void> => {
    const groups = groupsOf(changes);
    changes = [];
    for (const group of groups) await transaction.apply(group);
  };
  const places = [...saves.entries()];
  const isLast = ([, save]: (typeof places)[number]): boolean => save.isLast === true;
  const inOrder = [...places.filter((place) => !isLast(place)), ...places.filter(isLast)];
  for (const [index, { changes: wanted = [], work, lease }] of inOrder) {
    if (lease !== undefined && !held.has(lease)) {
      await apply();
      held.set(lease, await isHeld(transaction, lease));
    }
    const mayDo = lease === undefined || held.get(lease) === true;
    if (mayDo) changes.push(...wanted);
    if (work !== undefined) {
      await apply();
      held.clear();
      results[index] = await work(transaction);
    } else results[index] = mayDo;
  }
  await apply();
  return results;
}
