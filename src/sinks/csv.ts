import { stringify, type Options as StringifyOptions } from "csv-stringify/sync";
import { toCell, type Cell } from "../csv/cell-text.ts";
import { type CSVFilePath, filePathChecks, filePathOf } from "../csv/file-path.ts";
import { isBlankText } from "../csv/format.ts";
import { isDelimiter } from "../csv/options.ts";
import { lookAtFile, openFileSession } from "../data-file/file-session.ts";
import { filesOfPlace, targetPlace } from "../data-file/target-place.ts";
import { checkOptions, isBoolean, isFunctionMap, isOneOf, optional } from "../errors/options.ts";
import type { ColumnMap, ColumnValues, Sink, SinkContext, SinkRun, SinkSession } from "../contracts/sink.ts";

/** The options of a {@link CSVSink}. The folder of its file is created if it is missing. */
export type CSVSinkOptions<State, Column extends string = string> = CSVFilePath & {
  /** The columns, in the order in which they are written, each with the function that gives its value. */
  readonly columnMap: ColumnMap<State, Column>;
  /** The character that separates cells. @default "," */
  readonly delimiter?: string;
  /**
   * Writes the rows in the source's order instead of the order in which they are done. The engine restores the order
   * through a bounded buffer, and that costs waiting: a slow row holds back the finished ones behind it, and once the
   * buffer is full no further row is started. With a heavy latency tail 15 times the wall time was measured.
   * @default false
   */
  readonly preserveOrder?: boolean;
  /**
   * Puts a single quote mark before text that begins with `=`, `+`, `-`, `@` (also in full width), tab or CR, so that a
   * spreadsheet does not run it as a formula. The text is then not the same when it is read back. @default false
   */
  readonly escapeFormulas?: boolean;
  /** Begins the file with a byte order mark; without one Excel misreads letters beyond ASCII. @default false */
  readonly bom?: boolean;
  /** The end of a row. @default "\n" */
  readonly lineEnding?: "\n" | "\r\n";
};

/**
 * Writes rows to a CSV file in UTF-8 (RFC 4180), with a header.
 *
 * Every run writes the whole file anew, to `<path>.partial` beside it (mode 0600: rows hold personal data). A run that
 * completes renames it over the file; a run that stops leaves the file of an earlier run as it was, and keeps what it
 * had written in the `.partial` file until the next run begins. So does a run in which every row failed. A run with `limit`
 * writes to `<path>.limit-<limit>.csv` where there is a file. `replace: true` (`--replace`) lets both replace the file.
 *
 * Only the content of the file changes: its owner and mode are kept, and where the path is a symbolic link, the file that it
 * leads to is replaced. A named pipe, a device, a file with several hard links, one that is write-protected and one whose owner
 * can't be kept are rejected.
 *
 * One run at a time writes to a path: a second one is rejected before its first row (by a lock on `<path>.partial.lock`,
 * which ends with its process; the file stays).
 *
 * Text and numbers stand as they are, booleans as true and false, dates as ISO 8601, bytes as base64, objects and
 * arrays as JSON; null and undefined are empty cells.
 *
 * @example new CSVSink({ filePath: "output/enriched.csv", columnMap: { id: (s) => s.pk, summary: (s) => s.processed.summary.text } })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class CSVSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "csv";
  readonly identity: string;
  readonly keepsRows = false;
  readonly preserveOrder: boolean;
  readonly columnMap: ColumnMap<State, Column>;
  readonly files: (run: SinkRun) => readonly string[];
  /**
   * Creates the `.partial` file and writes the header.
   *
   * @throws {SinkError} if the path is a folder, its folder can't be created or written to, or a run is writing to it
   */
  readonly open: (context: SinkContext) => Promise<SinkSession>;
  /** @throws {SinkError} as `open`; makes nothing */
  readonly preflight: (context: SinkContext) => Promise<Omit<SinkSession, "write">>;

  constructor(options: CSVSinkOptions<State, Column>) {
    checkOptions<CSVSinkOptions<State, Column>>("CSVSink", options, {
      ...filePathChecks,
      columnMap: isFunctionMap,
      delimiter: optional(isDelimiter),
      preserveOrder: optional(isBoolean),
      escapeFormulas: optional(isBoolean),
      bom: optional(isBoolean),
      lineEnding: optional({ ...isOneOf("\n", "\r\n"), expected: String.raw`"\n" or "\r\n"` }),
    });
    const { columnMap, delimiter = ",", escapeFormulas = false, bom = false, lineEnding = "\n" } = options;
    const columns = Object.keys(columnMap);
    const format: StringifyOptions = {
      delimiter,
      record_delimiter: lineEnding,
      quote_record_delimiter: true,
      quoted_empty: columns.length === 1, // an empty line would not count as a row
      quoted_match: /^\uFEFF/, // text, but at the file's beginning it would be read as the byte order mark
      escape_formulas: escapeFormulas,
    };
    const path = filePathOf("CSVSink", options);
    this.identity = path;
    this.preserveOrder = options.preserveOrder ?? false;
    this.columnMap = columnMap;
    this.files = (run) => filesOfPlace(targetPlace(path, run));
    const header = (bom ? "\uFEFF" : "") + stringify([columns], { ...format, quoted_match: readOtherwise });
    const textOf = (rows: readonly ColumnValues[]): string =>
      textOfRows(
        rows.map((values) => columns.map((column) => toCell(values[column]))),
        format,
      );
    const begin = () => ({ header, rows: textOf });
    const written = { owner: `CSVSink ${path}`, path, columns, begin };
    this.open = async (context) => await openFileSession(written, context);
    this.preflight = async (context) => await lookAtFile(written, context);
  }
}

/** Names that a reader of CSV files takes for others without quotes: blanks around them, and the line that names the delimiter. */
const readOtherwise = /^(?:\s|sep=)|\s$/i;

/** A row of blank texts alone stands in quotes: without them readers pass over it. */
function textOfRows(rows: readonly (readonly Cell[])[], format: StringifyOptions): string {
  if (!rows.some(isBlank)) return stringify([...rows], format);
  const inQuotes = { ...format, quoted: true, quoted_empty: true };
  return rows.map((row) => stringify([row], isBlank(row) ? inQuotes : format)).join("");
}

function isBlank(row: readonly Cell[]): boolean {
  return row.every((cell) => cell === null || (typeof cell === "string" && isBlankText(cell)));
}
