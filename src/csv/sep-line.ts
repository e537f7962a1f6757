import { isDelimiter } from "./options.ts";
import { afterBreak, lineEnd } from "./record.ts";

/** `sep=` and one character of up to four bytes. */
const longest = 8;

/**
 * Reads a line `sep=;`, by which Excel is told the delimiter. False if there is another line; undefined if more bytes have to say so.
 */
export function sepLine(
  bytes: Buffer,
  at: number,
  isLast: boolean,
): { readonly delimiter: string; readonly end: number } | false | undefined {
  const head = bytes.toString("utf8", at, at + longest + 1);
  if (!/^sep=/i.test(head))
    return !isLast && head.length < 4 && "sep=".startsWith(head.toLowerCase()) ? undefined : false;
  const end = lineEnd(bytes.subarray(0, at + longest + 1), at);
  if (end === at + longest + 1) return false;
  const next = end === bytes.length && !isLast ? undefined : afterBreak(bytes, end, isLast);
  if (next === undefined) return undefined;
  const delimiter = bytes.toString("utf8", at + 4, end);
  return isDelimiter.fits(delimiter) ? { delimiter, end: next } : false;
}
