import type { Random } from "./random.ts";

/** Draws what a generated service is like. */
export class Dice {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[Math.floor(this.random() * list.length)] ?? list[0];
  }

  /** As likely to be in each doubling between the two. */
  between(least: number, most: number): number {
    return least * Math.exp(this.random() * Math.log(most / least));
  }
}
