/**
 * Makes a value of a text that SQLite keeps exactly. SQLite would replace lone surrogates, and its driver in older releases
 * of Node cuts text at NUL: a text with either of them becomes the bytes of its UTF-16 code units.
 */
export function toExactText(text: string): string | Buffer {
  return text.isWellFormed() && !text.includes("\0") ? text : Buffer.from(text, "utf16le");
}

/** Gives back the text of a value that {@link toExactText} made. */
export function fromExactText(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf16le") : String(value);
}
