import { hash } from "node:crypto";

/** How many keys there are: 48 bits, which a number holds exactly and which do not collide in a run. */
const keyCount = 2 ** 48;

/** A number that stands for a text or for bytes: 48 bits of its SHA-256. Keeping it does not keep the text. */
export function keyOf(content: string | Buffer): number {
  return hash("sha256", content, "buffer").readUIntBE(0, 6);
}

/** One key for two. */
export function combined(one: number, other: number): number {
  return (one + other) % keyCount;
}

/** Eight numbers from 0 up to, not including, 1, that depend on the seed and on what is drawn for, and on nothing else. */
export interface Draws {
  readonly share: (index: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7) => number;
}

export function drawsFor(seed: number, key: number, time: number | string): Draws {
  const bytes = hash("sha256", `${seed}/${key}/${time}`, "buffer");
  return { share: (index) => bytes.readUInt32LE(4 * index) / 2 ** 32 };
}
