/**
 * Counts how often each key was met, in limited memory: when the newer half is full, the older half is forgotten. The last
 * `capacity / 2` different keys are never forgotten.
 */
export class Tally {
  readonly #half: number;
  #newer = new Map<number, number>();
  #older = new Map<number, number>();

  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2));
  }

  /** Counts the key, and returns the number of times that it was met before. */
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
