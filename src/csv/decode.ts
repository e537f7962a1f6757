import { isAscii, isUtf8 } from "node:buffer";
import { StringDecoder } from "node:string_decoder";
import { SourceError } from "../errors/source.ts";
import { iconv } from "./encodings.ts";

/**
 * Stands for bytes that are no character in their encoding; UTF-8 and UTF-16LE are rejected instead. No text has it: it is
 * no character in Unicode.
 */
export const unmapped = "\uFFFE";

/** Up to `end` a chunk is whole characters. The bytes after it are `wrong`, or the beginning of a character that goes on. */
interface Reading {
  readonly end: number;
  readonly wrong: boolean;
}

interface Decoder {
  readonly measure: (bytes: Buffer, isLast: boolean) => Reading;
  readonly toUTF8: (bytes: Buffer) => Buffer;
  /** The text of bytes that were kept back, when all have come. */
  readonly end?: () => string;
}

/**
 * Yields the file's bytes as UTF-8 without byte order mark, in chunks that never cut a character in two. The text
 * before a wrong byte is yielded before the error is thrown. `encoding` is one that `requireEncoding` has given; in others than UTF-8
 * and UTF-16LE a wrong byte becomes {@link unmapped}.
 *
 * @throws {SourceError} for a byte that is not text in UTF-8 or UTF-16LE, with its `offset` in the file; for a byte order mark
 * that contradicts the encoding
 */
export async function* decode(
  chunks: AsyncIterable<Buffer>,
  encoding: string,
  owner: string,
): AsyncGenerator<Buffer, void, undefined> {
  const { measure, toUTF8, end: last } = decoderOf(encoding);
  let offset = 0;
  let carried: Buffer = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of chunks) {
    let bytes = carried.length === 0 ? chunk : Buffer.concat([carried, chunk]);
    if (!begun && bytes.length < longestMark) {
      carried = Buffer.from(bytes);
      continue;
    }
    if (!begun) {
      offset = lengthOfMark(bytes, encoding, owner);
      bytes = bytes.subarray(offset);
      begun = true;
    }
    const { end, wrong } = measure(bytes, false);
    if (end > 0) yield toUTF8(bytes.subarray(0, end));
    offset += end;
    if (wrong) throw notText(owner, encoding, offset);
    carried = Buffer.from(bytes.subarray(end)); // a copy: the reader may use its buffer again
  }
  if (!begun) {
    offset = lengthOfMark(carried, encoding, owner);
    carried = carried.subarray(offset);
  }
  const { end } = measure(carried, true);
  if (end > 0) yield toUTF8(carried.subarray(0, end));
  if (end < carried.length) throw notText(owner, encoding, offset + end);
  const rest = last?.() ?? "";
  if (rest !== "") yield Buffer.from(rest);
}

const marks = [
  { bytes: Buffer.from([0xef, 0xbb, 0xbf]), encoding: "utf-8", remedy: 'set the option encoding: "utf-8"' },
  { bytes: Buffer.from([0xff, 0xfe]), encoding: "utf-16le", remedy: 'set the option encoding: "utf-16le"' },
  { bytes: Buffer.from([0xfe, 0xff]), encoding: "utf-16be", remedy: 'set the option encoding: "utf-16be"' },
] as const;
const longestMark = 3;

/** The length of the byte order mark in bytes, 0 if there is none. @throws {SourceError} if it contradicts the option */
function lengthOfMark(bytes: Buffer, encoding: string, owner: string): number {
  const mark = marks.find((candidate) => bytes.subarray(0, candidate.bytes.length).equals(candidate.bytes));
  if (mark === undefined) return 0;
  if (mark.encoding === encoding) return mark.bytes.length;
  const facts = { expected: encoding, got: mark.encoding, hint: mark.remedy };
  throw new SourceError(owner, "the file has the byte order mark of another encoding", { facts });
}

function notText(owner: string, encoding: string, offset: number): SourceError {
  const hint =
    encoding === "utf-8"
      ? 'set the option encoding to that of the file ("windows-1252", "utf-16le", or another), or convert it to UTF-8'
      : 'set the option encoding to that of the file (is it "utf-8"?), or repair the file';
  const facts = { offset, expected: encoding, hint };
  return new SourceError(owner, `the bytes at offset ${offset} of the file can't be decoded`, { facts });
}

function decoderOf(encoding: string): Decoder {
  switch (encoding) {
    case "utf-8":
      return { measure: measureUTF8, toUTF8: (bytes) => bytes };
    case "utf-16le":
      return { measure: measureUTF16, toUTF8: (bytes) => Buffer.from(bytes.toString("utf16le")) };
    case "utf-16be":
      return utf16be();
    case "windows-1252":
      return { measure: measureAny, toUTF8: fromWindows1252 };
    default:
      return byIconv(encoding);
  }
}

/** Bytes of an encoding in which none ends the reading. */
function measureAny(bytes: Buffer): Reading {
  return { end: bytes.length, wrong: false };
}

function marked(text: string): string {
  return text.replaceAll("\uFFFD", unmapped);
}

function markedSurrogates(text: string): string {
  return text.isWellFormed() ? text : text.replaceAll(/\p{Surrogate}/gu, unmapped);
}

function byIconv(encoding: string): Decoder {
  const decoder = iconv().getDecoder(encoding, { stripBOM: false });
  return {
    measure: measureWhole,
    toUTF8: (bytes) => Buffer.from(marked(decoder.write(bytes))),
    end: () => marked(decoder.end() ?? ""),
  };
}

const mostKeptBytes = 1024 * 1024;

/**
 * Ends behind a byte that ends a character for sure: one below 0x30, or two in a row below 0x80. iconv-lite would keep back the
 * beginning of a character itself, but of a chunk with as many characters as bytes it then drops the last one without a word.
 */
function measureWhole(bytes: Buffer, isLast: boolean): Reading {
  let end = bytes.length;
  if (isLast) return { end, wrong: false };
  while (end > 0 && !endsCharacter(bytes, end - 1)) end -= 1;
  return { end: end === 0 && bytes.length > mostKeptBytes ? bytes.length : end, wrong: false };
}

function endsCharacter(bytes: Buffer, at: number): boolean {
  const byte = bytes[at] ?? 0;
  return byte < 0x30 || (byte < 0x80 && at > 0 && (bytes[at - 1] ?? 0) < 0x80);
}

function utf16be(): Decoder {
  const decoder = new StringDecoder("utf16le"); // it keeps back half a surrogate pair
  let odd: Buffer = Buffer.alloc(0);
  return {
    measure: measureAny,
    toUTF8: (bytes) => {
      const all = Buffer.concat([odd, bytes]);
      const whole = all.length - (all.length % 2);
      odd = all.subarray(whole);
      return Buffer.from(markedSurrogates(decoder.write(all.subarray(0, whole).swap16())));
    },
    end: () => markedSurrogates(decoder.end()) + (odd.length > 0 ? unmapped : ""),
  };
}

function measureUTF8(bytes: Buffer): Reading {
  const end = bytes.length - lengthOfCutSequence(bytes);
  if (isUtf8(bytes.subarray(0, end))) return { end, wrong: false };
  let index = 0;
  while (index < end) {
    const next = index + lengthOfSequence(bytes[index]);
    if (!isUtf8(bytes.subarray(index, next))) break;
    index = next;
  }
  return { end: index, wrong: true };
}

/** The number of bytes at the end that begin a character whose rest is in the next chunk. */
function lengthOfCutSequence(bytes: Buffer): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length += 1) {
    const byte = bytes[bytes.length - length] ?? 0;
    if (byte >= 0xc0) return lengthOfSequence(byte) > length ? length : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

function lengthOfSequence(leadByte: number = 0): number {
  if (leadByte < 0xc0) return 1;
  if (leadByte < 0xe0) return 2;
  return leadByte < 0xf0 ? 3 : 4;
}

function measureUTF16(bytes: Buffer): Reading {
  let end = bytes.length - (bytes.length % 2);
  const cutPair = end > 0 && ((bytes[end - 1] ?? 0) & 0xfc) === 0xd8;
  if (cutPair) end -= 2;
  const text = bytes.toString("utf16le", 0, end);
  if (text.isWellFormed()) return { end, wrong: false };
  return { end: 2 * text.search(/\p{Surrogate}/u), wrong: true };
}

// Node releases differ in whether their TextDecoder reads windows-1252 as such or as ISO 8859-1: hence this table.
const from80To9F =
  "\u20ac\ufffe\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\ufffe\u017d\ufffe" +
  "\ufffe\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\ufffe\u017e\u0178";

function fromWindows1252(bytes: Buffer): Buffer {
  if (isAscii(bytes)) return bytes;
  const text = bytes.toString("latin1");
  return Buffer.from(text.replaceAll(/[\u0080-\u009f]/g, (byte) => from80To9F.charAt(byte.charCodeAt(0) - 0x80)));
}
