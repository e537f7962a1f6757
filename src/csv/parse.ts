import type { ErrorFacts } from "../errors/facts.ts";
import { SourceError } from "../errors/source.ts";
import { type CSVFormat, isBlankText } from "./format.ts";
import { sepLine } from "./sep-line.ts";
import {
  afterBreak,
  type BrokenRecord,
  countDelimiters,
  lineEnd,
  type Marks,
  type OpenedCell,
  scanRecord,
  startsWith,
  type WholeRecord,
} from "./record.ts";

/** One row of the file; the header is one, too. */
export interface CSVRow {
  /** The line on which the row begins, from 1. LF, CRLF and CR each end a line, also within quotes. */
  readonly line: number;
  /** The line on which the row ends: a later one if there are line breaks within quotes. */
  readonly lastLine: number;
  readonly cells: readonly string[];
  /** The indexes of the cells that stand in quotes. */
  readonly quoted: readonly number[];
  /** True if a quote opens on `lastLine` that is not closed as it should be: `cells` is the text up to that line's end, and the next row begins on the next line. */
  readonly isUnclosed?: boolean;
}

export interface ParseOptions extends CSVFormat {
  /** The source that errors name. */
  readonly owner: string;
  /** The number of columns. @default that of the first row with any text */
  readonly columnCount?: number | undefined;
  /** The most bytes without the end of a row, to the nearest chunk. */
  readonly maxRowBytes: number;
  /** Called with the delimiter that a line `sep=;` names. */
  readonly onDelimiter?: ((delimiter: string) => void) | undefined;
}

/**
 * Splits UTF-8 text into rows (RFC 4180): chunk by chunk, the rows that ended. Chunks may be cut anywhere between characters.
 * Blank lines are no rows, blanks around quotes are nothing, and a misplaced quote is text.
 *
 * A quote that opens a cell over several lines and is not closed as it should be (never; with text behind it; so that the row ends
 * short) is taken for a mistake if its own line is a whole row without it: then the rows after that line are read.
 *
 * @throws {SourceError} if the file ends within a quote of its last line (then it was cut off) or a row is too large, with the `line` on which that row begins. The rows before it are yielded first, as they
 * are before an error of `chunks`.
 */
export async function* parseRows(
  chunks: AsyncIterable<Buffer>,
  options: ParseOptions,
): AsyncGenerator<readonly CSVRow[], void, undefined> {
  const parser = new RowParser(options);
  for await (const chunk of withFault(chunks)) {
    if ("fault" in chunk) {
      parser.add(Buffer.from(" ")); // a row that ended with CR has ended where no LF follows
      yield* parser.take("fault");
      throw chunk.fault;
    }
    parser.add(chunk);
    yield* parser.take("more");
  }
  yield* parser.take("end");
}

/** True if the row holds nothing: a quoted empty cell is a value. */
export function isBlankRow({ cells, quoted }: Pick<CSVRow, "cells" | "quoted">): boolean {
  return quoted.length === 0 && cells.every(isBlankText);
}

/** The chunks, and the fault that ended them. */
async function* withFault(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer | { readonly fault: unknown }> {
  try {
    yield* chunks;
  } catch (fault) {
    yield { fault };
  }
}

/** So many, where a quote had kept back a great many, so that they are not all in memory. */
const mostRowsAtOnce = 1000;

const byteOrderMark = Buffer.from("\uFEFF");

class RowParser {
  readonly #options: ParseOptions;
  readonly #comment: Buffer | undefined;
  #marks: Marks;
  #columnCount: number | undefined;
  /** The bytes of rows that have not ended. */
  #bytes: Buffer = Buffer.alloc(0);
  /** Chunks behind them. They are looked at once they are as many as those bytes: so each byte is looked at a few times only. */
  #parts: Buffer[] = [];
  #partsLength = 0;
  #at = 0;
  #line = 1;
  #isBegun = false;
  #linesToSkip: number;
  /** Up to this offset rows are read again, behind a quote that was a mistake: a row that begins there and ends short is short. */
  #againUntil = 0;
  #rows: CSVRow[] = [];
  #fault: SourceError | undefined;

  constructor(options: ParseOptions) {
    const { delimiter, quote, escape, comment, columnCount, skipLines } = options;
    const isEscape = escape !== undefined && escape !== quote;
    this.#options = options;
    this.#comment = comment === undefined ? undefined : Buffer.from(comment);
    this.#marks = {
      delimiter: Buffer.from(delimiter),
      quote: quote?.charCodeAt(0),
      escape: isEscape ? escape.charCodeAt(0) : undefined,
    };
    this.#columnCount = columnCount;
    this.#linesToSkip = skipLines;
  }

  /** Takes a copy: the reader uses the chunk's memory again. */
  add(chunk: Buffer): void {
    this.#parts.push(Buffer.from(chunk));
    this.#partsLength += chunk.length;
  }

  /**
   * The rows that have ended,.
   *
   * @throws {SourceError} what ends the rows, after those before it
   */
  *take(follows: "more" | "fault" | "end"): Generator<readonly CSVRow[], void, undefined> {
    const { maxRowBytes } = this.#options;
    const isPatient = this.#partsLength < this.#bytes.length && this.#bytes.length + this.#partsLength <= maxRowBytes;
    if (isPatient && follows === "more") return;
    this.#join();
    if (!this.#isBegun) this.#begin();
    while (this.#at < this.#bytes.length && this.#step(follows === "end")) {
      if (this.#rows.length >= mostRowsAtOnce) yield this.#rows.splice(0);
    }
    this.#againUntil = Math.max(0, this.#againUntil - this.#at);
    this.#bytes = this.#bytes.subarray(this.#at);
    this.#at = 0;
    yield this.#rows.splice(0);
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#bytes.length <= maxRowBytes) return;
    throw this.#rejection("is too large", { expected: `at most ${maxRowBytes} bytes`, hint: tooLarge });
  }

  #join(): void {
    const [only] = this.#parts;
    const isOnly = this.#bytes.length === 0 && this.#parts.length === 1 && only !== undefined;
    this.#bytes = isOnly ? only : Buffer.concat([this.#bytes, ...this.#parts]);
    this.#parts = [];
    this.#partsLength = 0;
  }

  #rejection(problem: string, facts: ErrorFacts): SourceError {
    const line = this.#line;
    return new SourceError(this.#options.owner, `the row that begins on line ${line} ${problem}`, {
      facts: { line, ...facts },
    });
  }

  /** Passes over byte order marks: files that were joined have several. */
  #begin(): void {
    this.#isBegun = this.#bytes.length > 0;
    while (startsWith(this.#bytes, this.#at, byteOrderMark)) {
      this.#at += byteOrderMark.length;
      this.#isBegun = this.#at < this.#bytes.length;
    }
  }

  /** Goes on by a line or a row. False if it needs more bytes. */
  #step(isLast: boolean): boolean {
    const bytes = this.#bytes;
    const isPreamble = this.#linesToSkip > 0;
    const isBlank = bytes[this.#at] === 0x0a || bytes[this.#at] === 0x0d;
    if (isPreamble || isBlank || (this.#comment !== undefined && startsWith(bytes, this.#at, this.#comment))) {
      return this.#passLine(isLast, isPreamble);
    }
    if (this.#columnCount === undefined || this.#line === 1) {
      const isSep = this.#readSepLine(isLast);
      if (isSep !== false) return isSep ?? false;
    }
    const record = scanRecord(bytes, this.#at, this.#marks, isLast);
    if (record === undefined) return false;
    if (record.kind === "whole") this.#addRecord(record);
    else return this.#addBroken(record, isLast);
    return true;
  }

  #passLine(isLast: boolean, isPreamble: boolean): boolean {
    const isSep = isPreamble && this.#line === 1 ? this.#readSepLine(isLast) : false;
    if (isSep !== false) {
      if (isSep === true) this.#linesToSkip -= 1;
      return isSep ?? false;
    }
    const end = lineEnd(this.#bytes, this.#at);
    if (end === this.#bytes.length && !isLast) return false;
    const next = afterBreak(this.#bytes, end, isLast);
    if (next === undefined) return false;
    this.#at = next;
    this.#line += 1;
    if (isPreamble) this.#linesToSkip -= 1;
    return true;
  }

  /** True if a line that names the delimiter was read; undefined if more bytes have to say so. */
  #readSepLine(isLast: boolean): boolean | undefined {
    const found = sepLine(this.#bytes, this.#at, isLast);
    if (found === undefined || found === false) return found;
    this.#marks = { ...this.#marks, delimiter: Buffer.from(found.delimiter) };
    this.#options.onDelimiter?.(found.delimiter);
    this.#at = found.end;
    this.#line += 1;
    return true;
  }

  #addRecord(record: WholeRecord): void {
    const { cells, quoted, end, breaks } = record;
    const mistake = this.#mistakeIn(record);
    if (mistake !== undefined) {
      this.#againUntil = end;
      this.#addUnclosed(mistake);
      return;
    }
    this.#rows.push({ line: this.#line, lastLine: this.#line + breaks, cells, quoted });
    if (this.#columnCount === undefined && !isBlankRow({ cells, quoted })) this.#columnCount = cells.length;
    this.#at = end;
    this.#line += breaks + 1;
  }

  /** The cell that took other rows into it: its row ends short, or is whole only with text behind a quote. */
  #mistakeIn({ cells, multiline, misplaced }: WholeRecord): OpenedCell | undefined {
    if (multiline === undefined || this.#columnCount === undefined || this.#at < this.#againUntil) return undefined;
    if (this.#columnCount === 1) return undefined; // there any line is a whole row
    const suspect = cells.length < this.#columnCount ? multiline : misplaced;
    if (suspect === undefined || cells.length > this.#columnCount) return undefined;
    return this.#isWholeWithout(suspect) ? suspect : undefined;
  }

  /** False if it needs more bytes to say that a quote is not closed. */
  #addBroken({ kind, opened }: BrokenRecord, isLast: boolean): boolean {
    const isTooLarge = this.#bytes.length - this.#at > this.#options.maxRowBytes;
    if (kind === "unclosed" && !isLast && !(isTooLarge && this.#isWholeWithout(opened))) return false;
    if (kind === "unclosed" && isLast && lineEnd(this.#bytes, opened.openedAt) === this.#bytes.length) {
      this.#fault = this.#rejection("has a quote that is not closed before the file ends", { hint: notClosed });
      return false;
    }
    this.#addUnclosed(opened);
    return true;
  }

  /** True if the line on which a quote opens is a whole row where the quote is text. */
  #isWholeWithout({ index, openedAt }: OpenedCell): boolean {
    const end = lineEnd(this.#bytes, openedAt);
    if (end === this.#bytes.length || this.#columnCount === undefined) return false;
    return index + 1 + countDelimiters(this.#bytes, openedAt, end, this.#marks.delimiter) === this.#columnCount;
  }

  #addUnclosed({ openedAt, breaksBefore }: OpenedCell): void {
    const end = lineEnd(this.#bytes, openedAt);
    const lastLine = this.#line + breaksBefore;
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#rows.push({ line: this.#line, lastLine, cells: [text], quoted: [], isUnclosed: true });
    this.#at = afterBreak(this.#bytes, end, true) ?? end;
    this.#line = lastLine + 1;
  }
}

const notClosed = "is the file complete? Otherwise close the quote, or double it if it is text";
const tooLarge =
  "a quote that is never closed is the likely cause; close it, or double it if it is text. If there is none, is this a CSV file?";
