import { hash } from "node:crypto";

/** The number of keys: 48 bits fit into a number exactly, and do not collide in a run. */
const keyCount = 2 ** 48;

/** The key of a text or of bytes: 48 bits of the SHA-256. It does not reveal the text. */
export function keyOf(content: string | Buffer): number {
  return hash("sha256", content, "buffer").readUIntBE(0, 6);
}

/** Combines two keys into one. */
export function combined(one: number, other: number): number {
  return (one + other) % keyCount;
}

/** Eight numbers from 0 up to, not including, 1. Only the arguments of `drawsFor` decide them. */
export interface Draws {
  readonly share: (index: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7) => number;
}

export function drawsFor(seed: number, key: number, time: number | string): Draws {
  const bytes = hash("sha256", `${seed}/${key}/${time}`, "buffer");
  return { share: (index) => bytes.readUInt32LE(4 * index) / 2 ** 32 };
}
