import { SourceError } from "../errors/source.ts";

/** A line of a file, without its end. `bytes` is null for one that is too long to be kept. */
export interface TextLine {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer | null;
}

interface LineOptions {
  /** The source, for messages. */
  readonly owner: string;
  readonly maxLineBytes: number;
}

const lineFeed = 0x0a;
const utf8Mark = Buffer.from([0xef, 0xbb, 0xbf]);
const utf16Marks = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/**
 * The lines of a file in an encoding like UTF-8, whose lines end with LF or CR LF, without its byte order mark. A line is valid until the next
 * one is asked for.
 *
 * @throws {SourceError} if the file begins with the byte order mark of UTF-16
 */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  { owner, maxLineBytes }: LineOptions,
): AsyncGenerator<TextLine, void, undefined> {
  let number = 1;
  let begun: Buffer[] = [];
  let length = 0;
  const take = (end: Buffer): TextLine => {
    const whole = begun.length === 0 ? end : Buffer.concat([...begun, end]);
    const isTooLong = length + end.length > maxLineBytes;
    const line = { number, bytes: isTooLong ? null : withoutMark(whole, number, owner) };
    number += 1;
    begun = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    length += rest.length;
    // Of a line that is too long no more is kept.
    if (length > maxLineBytes) begun = [];
    else if (rest.length > 0) begun.push(Buffer.from(rest));
  }
  if (length > 0) yield take(Buffer.alloc(0));
}

function withoutMark(line: Buffer, number: number, owner: string): Buffer {
  const end = line.at(-1) === 0x0d ? line.length - 1 : line.length;
  if (number > 1) return line.subarray(0, end);
  if (utf16Marks.some((mark) => line.subarray(0, 2).equals(mark))) {
    const facts = { expected: "utf-8", got: "utf-16", hint: "convert the file to UTF-8" };
    throw new SourceError(owner, "the file has the byte order mark of another encoding", { facts });
  }
  return line.subarray(line.subarray(0, 3).equals(utf8Mark) ? 3 : 0, end);
}
