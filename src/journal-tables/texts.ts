import { hash } from "node:crypto";
import type { Cell } from "./tables.ts";

/** Begins a text that is not kept as it is. */
const escaped = "\u0001";

/** A text that a database keeps exactly: one with NUL or half a surrogate pair becomes JSON, in which both are escaped. */
export function toKept(text: string): string {
  const isPlain = text.isWellFormed() && !text.includes("\0") && !text.startsWith(escaped);
  return isPlain ? text : `${escaped}${JSON.stringify(text)}`;
}

export function fromKept(text: string): string {
  return text.startsWith(escaped) ? JSON.parse(text.slice(1)) : text;
}

/** In UTF-16 code units: three of them fit into a key of an index, of 1,700 bytes as of 2,700. */
export const longestName = 280;

/**
 * A text in an index, kept as it is, or, where it is long, or ends in a blank (which some comparisons leave out), its beginning and its hash.
 */
export function toName(text: string, longest: number = longestName): string {
  const kept = toKept(text);
  if (kept.length <= longest && !kept.endsWith(" ")) return kept;
  const shown = kept.slice(kept.startsWith(escaped) ? 1 : 0, longest - 50);
  return `${shown.toWellFormed()}… ${keyHash(text)}`;
}

export function orNull<Result>(cell: Cell | undefined, convert: (cell: Cell) => Result): Result | null {
  return cell === null || cell === undefined ? null : convert(cell);
}

/** JSON text escapes NUL and half a surrogate pair by itself. */
export function toRecord(value: object): string {
  return JSON.stringify(value);
}

/** A key of any length as 16 bytes, in hexadecimal digits: no index takes a long text. */
export function keyHash(text: string): string {
  return hash("sha256", Buffer.from(text, "utf16le"), "hex").slice(0, 32);
}

/** A SHA-256, in hexadecimal digits. */
const digits = 64;

export function splitFingerprints(cell: Cell | undefined): readonly string[] | null {
  return orNull(cell, (found) => {
    const text = String(found);
    return Array.from({ length: text.length / digits }, (_, index) => text.slice(index * digits, (index + 1) * digits));
  });
}
