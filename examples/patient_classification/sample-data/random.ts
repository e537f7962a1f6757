/** Draws that are the same for the same seed, on every machine and in every run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x2f_6b_91_c3, 0x9e_37_79_b1) || 1; // 0 is the one state that never changes
  }

  /** A whole number from 0 up to, but not including, `bound`. */
  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.floor(((this.#state >>> 0) / 2 ** 32) * bound);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  pick<Item>(items: readonly Item[]): Item {
    const [item] = this.sample(items, 1);
    if (item === undefined) throw new RangeError("there is nothing to pick from");
    return item;
  }

  /** `count` of the items, each at most once, in an order of their own. */
  sample<Item>(items: readonly Item[], count: number): Item[] {
    const left = [...items];
    return Array.from({ length: Math.min(count, left.length) }, () => left.splice(this.below(left.length), 1)).flat();
  }

  /**
   * The template with its placeholders filled: `{a|b|c}` is one of them, `{60-80}` a number from 60 to 80, and `{age}`
   * the template of that name in `slots`.
   */
  fill(template: string, slots: Readonly<Record<string, string>>): string {
    return template.replaceAll(/\{([^{}]*)\}/g, (_, content: string) => {
      const range = /^(\d+)-(\d+)$/.exec(content);
      if (range !== null) return String(this.between(Number(range[1]), Number(range[2])));
      if (content.includes("|")) return this.pick(content.split("|"));
      const slot = slots[content];
      if (slot === undefined) throw new RangeError(`the template has an unknown slot {${content}}`);
      return this.fill(slot, slots);
    });
  }
}
