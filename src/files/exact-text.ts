/**
 * A text as SQLite can hold it: it would replace lone surrogates, and its driver in older releases of Node cuts text at
 * NUL. A text with either of them becomes its UTF-16 code units.
 */
export function toExactText(text: string): string | Buffer {
  return text.isWellFormed() && !text.includes("\0") ? text : Buffer.from(text, "utf16le");
}

/** The text that {@link toExactText} made a value of. */
export function fromExactText(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf16le") : String(value);
}
