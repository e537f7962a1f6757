import { parseMoment } from "./moment.ts";

/** A text that a database can hold. */
export function isText(key: string): boolean {
  return key.isWellFormed() && !key.includes("\0");
}

/** A whole number of 64 bits. */
export function isWhole(key: string): boolean {
  return /^-?\d{1,19}$/.test(key) && BigInt.asIntN(64, BigInt(key)) === BigInt(key);
}

/** A date, with a time or without, or one of the infinities. */
export function isMoment(key: string): boolean {
  return /^-?infinity$/.test(key) || parseMoment(key)?.day !== undefined;
}
