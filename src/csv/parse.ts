import { parse } from "csv-parse";
import { SourceError } from "../errors/source.ts";

/** One row as it stands in the file: the header is one too. */
export interface CSVRow {
  /** The line on which it begins, from 1. LF, CRLF and CR each end a line, also within quotes. */
  readonly line: number;
  /** The line on which it ends: a later one if there are line breaks within quotes. */
  readonly lastLine: number;
  readonly cells: readonly string[];
}

export interface ParseOptions {
  /** Whose errors they are. */
  readonly owner: string;
  readonly delimiter: string;
  /** How many bytes may go by without the end of a row, to the nearest chunk. */
  readonly maxRowBytes: number;
}

/**
 * Splits UTF-8 text into rows (RFC 4180): for each chunk, the rows that ended in it. Chunks may be cut anywhere.
 * Blank lines are no rows, and a misplaced quote is text.
 *
 * @throws {SourceError} after the rows before it, if a quote is never closed or a row is too large;
 * what `chunks` throws, after the rows before it, too
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
      return null; // the stream passes nothing on: it would drop rows when it fails
    },
  });
  parser.on("error", () => undefined); // the callbacks below are told, too
  const linesDone = (): number => parser.info.records + parser.info.empty_lines;
  const fail = (problem: string): SourceError =>
    new SourceError(owner, `the row that begins on line ${linesDone() + breaksInCells + 1} ${problem}`);

  let unfinishedBytes = 0;
  for await (const chunk of endedByText(chunks)) {
    const before = linesDone();
    const copy = Buffer.from(chunk); // csv-parse keeps its end, and the reader uses the chunk's memory again
    await new Promise<void>((resolve, reject) => {
      parser.write(copy, (error) => (error ? reject(error) : resolve()));
    });
    yield rows.splice(0);
    unfinishedBytes = linesDone() === before ? unfinishedBytes + chunk.length : 0;
    // Not by max_record_size: that counts no delimiters, and a line of nothing else would fill the memory.
    if (unfinishedBytes > maxRowBytes) throw fail(`is larger than ${maxRowBytes} bytes: ${tooLarge}`);
  }
  const error = await new Promise<Error | null | undefined>((resolve) => parser.end(resolve));
  yield rows.splice(0);
  if (!error) return;
  throw "code" in error && error.code === "CSV_QUOTE_NOT_CLOSED" ? fail(`is not finished: ${notClosed}`) : error;
}

const notClosed =
  "a quote in it is not closed before the file ends; is the file complete? Otherwise close the quote, or double it if it is text";
const tooLarge =
  "a quote that is never closed is the likely cause; close it, or double it if it is text. If there is none, is this a CSV file?";

/** csv-parse looks a few bytes ahead: a row that ended right before a fault comes only when some text follows it. */
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
