/**
 * Counts how often a key was met, in a memory that does not grow for ever: when the newer half is full, the older half
 * is forgotten. It never forgets any of the last `capacity / 2` different keys.
 */
export class Tally {
  readonly #half: number;
  #newer = new Map<number, number>();
  #older = new Map<number, number>();

  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2));
  }

  /** How often the key was met before; counts this time. */
  meet(key: number): number {
    const before = this.count(key);
    if (this.#newer.size >= this.#half && !this.#newer.has(key)) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, before + 1);
    return before;
  }

  count(key: number): number {
    return this.#newer.get(key) ?? this.#older.get(key) ?? 0;
  }
}
