/** The characters of a CSV file that mean something, as UTF-8. */
export interface Marks {
  readonly delimiter: Buffer;
  /** The byte of the quote; undefined where quotes are text. */
  readonly quote: number | undefined;
  /** The byte that makes text of the quote behind it, beside a doubled quote; undefined where only a doubled one is text. */
  readonly escape: number | undefined;
}

/** The first quoted cell of a record with a line break in it. */
export interface OpenedCell {
  /** The number of cells before it. */
  readonly index: number;
  /** The offset of its opening quote. */
  readonly openedAt: number;
  /** The number of line breaks in the record before that quote. */
  readonly breaksBefore: number;
}

export interface WholeRecord {
  readonly kind: "whole";
  readonly cells: readonly string[];
  /** The indexes of the cells that stand in quotes. */
  readonly quoted: readonly number[];
  /** The offset behind its line ending. */
  readonly end: number;
  /** The number of line breaks within its quotes. */
  readonly breaks: number;
  readonly multiline: OpenedCell | undefined;
  /** The first such cell whose closing quote has text behind it. */
  readonly misplaced: OpenedCell | undefined;
}

/**
 * A quoted cell that does not end within these bytes (`unclosed`), or one with a line break in it in which a quote stands where a
 * cell begins, with text behind it (`reopened`).
 */
export interface BrokenRecord {
  readonly kind: "reopened" | "unclosed";
  readonly opened: OpenedCell;
}

const lf = 0x0a;
const cr = 0x0d;
const tab = 0x09;
const space = 0x20;

const noCells: number[] = [];

/** Reads the record that begins at `start`; undefined if it goes on behind the bytes. */
export function scanRecord(
  bytes: Buffer,
  start: number,
  marks: Marks,
  isLast: boolean,
): WholeRecord | BrokenRecord | undefined {
  const cells: string[] = [];
  let quoted = noCells;
  let breaks = 0;
  let multiline: OpenedCell | undefined;
  let misplaced: OpenedCell | undefined;
  for (let from = start; ;) {
    const quoteAt = openingQuote(bytes, from, marks);
    let end: number;
    let text: string | undefined;
    if (quoteAt === -1) {
      end = cellEnd(bytes, from, marks.delimiter);
    } else {
      const cell = quotedCell(bytes, quoteAt, marks, isLast);
      const here: OpenedCell = { index: cells.length, openedAt: quoteAt, breaksBefore: breaks };
      if (cell === undefined) return { kind: "unclosed", opened: here };
      const inside = countBreaks(bytes, quoteAt, cell.quoteAt);
      if (inside > 0) multiline ??= here;
      breaks += inside;
      end = cell.end;
      text = cell.text;
      if (cell.isClosed) {
        if (quoted === noCells) quoted = [];
        quoted.push(cells.length);
      } else {
        if (inside > 0 && isCellStart(bytes, cell.quoteAt, marks.delimiter)) return { kind: "reopened", opened: here };
        if (inside > 0) misplaced ??= here;
        end = cellEnd(bytes, cell.quoteAt + 1, marks.delimiter);
        const before = bytes.toString("utf8", from, quoteAt + 1);
        text = before + cell.text + bytes.toString("utf8", cell.quoteAt, end);
      }
    }
    if (end === bytes.length && !isLast) return undefined;
    cells.push(text ?? (end === from ? "" : bytes.toString("utf8", from, end)));
    if (end < bytes.length && startsWith(bytes, end, marks.delimiter)) {
      from = end + marks.delimiter.length;
      continue;
    }
    const next = afterBreak(bytes, end, isLast);
    return next === undefined ? undefined : { kind: "whole", cells, quoted, end: next, breaks, multiline, misplaced };
  }
}

interface QuotedCell {
  readonly text: string;
  /** The offset of the quote that ends it. */
  readonly quoteAt: number;
  /** The offset of the delimiter, the line ending or the end behind it. */
  readonly end: number;
  /** False if other text than blanks stands behind the quote. */
  readonly isClosed: boolean;
}

/** Undefined if no quote ends it. */
function quotedCell(bytes: Buffer, openedAt: number, marks: Marks, isLast: boolean): QuotedCell | undefined {
  const { quote } = marks;
  let isPlain = true;
  for (let at = openedAt + 1; ;) {
    const quoteAt = nextQuote(bytes, at, marks);
    if (quoteAt === -1) return undefined;
    if (bytes[quoteAt] !== quote || (quoteAt + 1 < bytes.length && bytes[quoteAt + 1] === quote)) {
      isPlain = false;
      at = quoteAt + 2; // behind an escape and its character, or behind a doubled quote
      continue;
    }
    const end = afterBlanks(bytes, quoteAt + 1, marks.delimiter);
    if (end === bytes.length && !isLast) return undefined;
    const isClosed =
      end === bytes.length || bytes[end] === lf || bytes[end] === cr || startsWith(bytes, end, marks.delimiter);
    const text = bytes.toString("utf8", openedAt + 1, quoteAt);
    return { text: isPlain ? text : unescaped(text, marks), quoteAt, end, isClosed };
  }
}

/** The offset of the next quote, or of the next escape that stands before a quote or an escape; -1 if there is none. */
function nextQuote(bytes: Buffer, from: number, marks: Marks): number {
  const { quote = 0, escape } = marks;
  if (escape === undefined) return bytes.indexOf(quote, from);
  for (let at = from; at < bytes.length; at += 1) {
    if (bytes[at] === quote || (bytes[at] === escape && isEscaped(bytes, at + 1, marks))) return at;
  }
  return -1;
}

function isEscaped(bytes: Buffer, at: number, { quote, escape }: Marks): boolean {
  return at < bytes.length && (bytes[at] === quote || bytes[at] === escape);
}

function unescaped(text: string, { quote = 0, escape }: Marks): string {
  const mark = String.fromCharCode(quote);
  if (escape === undefined) return text.replaceAll(mark + mark, mark);
  return text.replaceAll(mark === "'" ? /\\(['\\])|''/g : /\\(["\\])|""/g, (_, escaped?: string) => escaped ?? mark);
}

/** The offset of the quote with which a cell begins, blanks before it aside; -1 if it begins with none. */
function openingQuote(bytes: Buffer, from: number, { quote, delimiter }: Marks): number {
  if (quote === undefined) return -1;
  const at = afterBlanks(bytes, from, delimiter);
  return at < bytes.length && bytes[at] === quote ? at : -1;
}

function afterBlanks(bytes: Buffer, from: number, delimiter: Buffer): number {
  let at = from;
  while (at < bytes.length && (bytes[at] === space || bytes[at] === tab) && bytes[at] !== delimiter[0]) at += 1;
  return at;
}

/** True if only blanks stand between `at` and the delimiter or the line ending before it. */
function isCellStart(bytes: Buffer, at: number, delimiter: Buffer): boolean {
  let before = at - 1;
  while (before >= 0 && (bytes[before] === space || bytes[before] === tab) && bytes[before] !== delimiter[0])
    before -= 1;
  if (before < 0 || bytes[before] === lf || bytes[before] === cr) return true;
  return startsWith(bytes, before + 1 - delimiter.length, delimiter);
}

/** The offset of the delimiter or the line ending behind a cell without quotes, or that of the end. */
function cellEnd(bytes: Buffer, from: number, delimiter: Buffer): number {
  const [first] = delimiter;
  let at = from;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === lf || byte === cr || (byte === first && startsWith(bytes, at, delimiter))) return at;
  }
  return at;
}

export function startsWith(bytes: Buffer, at: number, text: Buffer): boolean {
  if (bytes[at] !== text[0]) return false;
  for (let index = 1; index < text.length; index += 1) if (bytes[at + index] !== text[index]) return false;
  return true;
}

/** The offset behind the line ending at `at`; undefined if more bytes have to say whether an LF belongs to its CR. */
export function afterBreak(bytes: Buffer, at: number, isLast: boolean): number | undefined {
  if (at >= bytes.length) return at;
  if (bytes[at] === lf) return at + 1;
  if (at + 1 === bytes.length) return isLast ? at + 1 : undefined;
  return bytes[at + 1] === lf ? at + 2 : at + 1;
}

/** The offset of the line ending behind `from`, or that of the end. */
export function lineEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== lf && bytes[at] !== cr) at += 1;
  return at;
}

/** LF, CRLF and CR are one line break each. */
function countBreaks(bytes: Buffer, from: number, end: number): number {
  let count = 0;
  for (let at = from; at < end; at += 1) {
    if (bytes[at] === lf ? bytes[at - 1] !== cr : bytes[at] === cr) count += 1;
  }
  return count;
}

/** The number of delimiters. */
export function countDelimiters(bytes: Buffer, from: number, end: number, delimiter: Buffer): number {
  let count = 0;
  for (let at = from; at < end; at += 1) if (startsWith(bytes, at, delimiter)) count += 1;
  return count;
}
