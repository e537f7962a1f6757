import { parse } from "csv-parse";
import type { ErrorFacts } from "../errors/facts.ts";
import { SourceError } from "../errors/source.ts";

/** One row of the file; the header is one, too. */
export interface CSVRow {
  /** The line on which the row begins, from 1. LF, CRLF and CR each end a line, also within quotes. */
  readonly line: number;
  /** The line on which the row ends: a later one if there are line breaks within quotes. */
  readonly lastLine: number;
  readonly cells: readonly string[];
}

export interface ParseOptions {
  /** The source that errors name. */
  readonly owner: string;
  readonly delimiter: string;
  /** The most bytes without the end of a row, to the nearest chunk. */
  readonly maxRowBytes: number;
}

/**
 * Splits UTF-8 text into rows (RFC 4180): for each chunk, the rows that ended in it. Chunks may be cut anywhere.
 * Blank lines are no rows, and a misplaced quote is text.
 *
 * @throws {SourceError} if a quote is never closed or a row is too large, with the `line` on which that row begins. The
 * rows before it are yielded first, as they are before an error of `chunks`.
 */
export async function* parseRows(
  chunks: AsyncIterable<Buffer>,
  { owner, delimiter, maxRowBytes }: ParseOptions,
): AsyncGenerator<readonly CSVRow[], void, undefined> {
  const rows: CSVRow[] = [];
  let breaksInCells = 0; // csv-parse counts lines itself, but a CRLF within quotes as two
  const parser = parse({
    delimiter,
    record_delimiter: ["\r\n", "\n", "\r"],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    on_record: (cells, { records, empty_lines }) => {
      const line = records + empty_lines + breaksInCells;
      breaksInCells += countLineBreaks(cells);
      rows.push({ line, lastLine: records + empty_lines + breaksInCells, cells });
      return null; // the stream passes on nothing: it would drop rows when it fails
    },
  });
  parser.on("error", () => undefined); // the callbacks below get it, too
  const linesDone = (): number => parser.info.records + parser.info.empty_lines;
  const fail = (problem: string, facts: ErrorFacts): SourceError => {
    const line = linesDone() + breaksInCells + 1;
    return new SourceError(owner, `the row that begins on line ${line} ${problem}`, { facts: { line, ...facts } });
  };

  let unfinishedBytes = 0;
  for await (const chunk of endedByText(chunks)) {
    const before = linesDone();
    const copy = Buffer.from(chunk); // csv-parse keeps its end, and the reader uses the chunk's memory again
    await new Promise<void>((resolve, reject) => {
      parser.write(copy, (error) => (error ? reject(error) : resolve()));
    });
    yield rows.splice(0);
    unfinishedBytes = linesDone() === before ? unfinishedBytes + chunk.length : 0;
    // csv-parse's max_record_size counts no delimiters: a line of nothing else would fill the memory.
    if (unfinishedBytes > maxRowBytes)
      throw fail("is too large", { expected: `at most ${maxRowBytes} bytes`, hint: tooLarge });
  }
  const error = await new Promise<Error | null | undefined>((resolve) => parser.end(resolve));
  yield rows.splice(0);
  if (!error) return;
  const isQuoteOpen = "code" in error && error.code === "CSV_QUOTE_NOT_CLOSED";
  throw isQuoteOpen ? fail("has a quote that is not closed before the file ends", { hint: notClosed }) : error;
}

const notClosed = "is the file complete? Otherwise close the quote, or double it if it is text";
const tooLarge =
  "a quote that is never closed is the likely cause; close it, or double it if it is text. If there is none, is this a CSV file?";

/** csv-parse looks a few bytes ahead: it gives a row that ended right before a fault only when some text follows. */
async function* endedByText(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    yield Buffer.from("        ");
    throw error;
  }
}

function countLineBreaks(cells: readonly string[]): number {
  let count = 0;
  for (const cell of cells) count += cell.match(/\r\n?|\n/g)?.length ?? 0;
  return count;
}
