/** A share of rejections that counts as none, and one that is not worth a slower pace. */
export const noChance = 0.005;
export const smallChance = 0.02;

/** More rejections than these are not taken for chance. */
const highestChance = 0.25;

/** The share of calls that is rejected whatever the pace. */
export class Chance {
  #share = 0;
  /** The mean share of late. */
  #mean = 0;

  get share(): number {
    return this.#share;
  }

  /** Notes the share that was rejected of a round. */
  judged(share: number): void {
    this.#mean += 0.1 * (share - this.#mean);
    this.#share = Math.min(this.#share, 1.3 * this.#mean + noChance);
  }

  /** Moves by a part of the way to another share. */
  approach(share: number, part: number): void {
    this.#share += part * (share - this.#share);
  }

  /** Rejections that a slower pace did not lessen are chance. */
  raise(share: number): void {
    this.#share = Math.max(this.#share, Math.min(highestChance, share));
    this.#mean = Math.max(this.#mean, this.#share);
  }
}
