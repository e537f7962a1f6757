/** Deletions after which a new Map is begun, at least. */
const leastDeletions = 64;

/**
 * A map whose entries come and go. V8 links the table that a Map has outgrown, by deletions too, to the next one: a single dead table in
 * the old generation keeps all later ones, with what was in them, until the next full collection. So this one begins a new Map in time.
 */
export class TransientMap<Key, Value> {
  #map = new Map<Key, Value>();
  #deletions = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  has(key: Key): boolean {
    return this.#map.has(key);
  }

  set(key: Key, value: Value): void {
    this.#map.set(key, value);
  }

  /** False if it was not there. */
  delete(key: Key): boolean {
    if (!this.#map.delete(key)) return false;
    this.#deletions += 1;
    if (this.#deletions >= Math.max(leastDeletions, this.#map.size)) {
      this.#map = new Map(this.#map);
      this.#deletions = 0;
    }
    return true;
  }

  /** Those of now: entries may come and go meanwhile. */
  entries(): readonly (readonly [Key, Value])[] {
    return [...this.#map];
  }
}
