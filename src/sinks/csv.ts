import { stringify, type Options as StringifyOptions } from "csv-stringify/sync";
import { problemOf, toCell, type Cell } from "../csv/cell-text.ts";
import { type CSVFilePath, filePathChecks, filePathOf } from "../csv/file-path.ts";
import { isBlankText } from "../csv/format.ts";
import { isDelimiter } from "../csv/options.ts";
import { TargetFile } from "../csv/target-file.ts";
import { filesOfPlace, targetPlace } from "../csv/target-place.ts";
import { SinkDataError } from "../errors/sink.ts";
import { checkOptions, isBoolean, isFunctionMap, isOneOf, optional } from "../errors/options.ts";
import type {
  ColumnMap,
  ColumnValues,
  RowsAside,
  Sink,
  SinkContext,
  SinkRun,
  SinkSession,
  Violation,
} from "../contracts/sink.ts";

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
    this.open = (context) => openSession({ path, columns, format, bom }, context);
    this.preflight = (context) => lookAt({ path, columns }, context);
  }
}

interface Writing {
  readonly path: string;
  readonly columns: readonly string[];
  readonly format: StringifyOptions;
  readonly bom: boolean;
}

async function openSession({ path, columns, format, bom }: Writing, context: SinkContext): Promise<SinkSession> {
  context.signal.throwIfAborted();
  const owner = `CSVSink ${path}`;
  const file = await TargetFile.open(owner, path, context);
  let writtenCount = 0;
  let rowsAside: RowsAside | undefined;
  try {
    await file.append((bom ? "\uFEFF" : "") + stringify([columns], { ...format, quoted_match: readOtherwise }));
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    check: (values) => findViolations(columns, values),
    write: async (batch) => {
      const lines = batch.flatMap(({ rows }) => rows.map((values) => toCells(owner, columns, values)));
      await file.append(textOf(lines, format));
      writtenCount += lines.length;
    },
    close: async (outcome, { readCount } = { readCount: writtenCount }) => {
      if (outcome === "completed") {
        rowsAside ??= await file.publish({ readCount, writtenCount });
        return;
      }
      if (writtenCount > 0 && !file.isClosed) rowsAside = { path: file.partialPath, reason: "stopped" };
      await file.close();
    },
    rowsAside: () => rowsAside,
  };
}

/** Names that a reader of CSV files takes for others without quotes: blanks around them, and the line that names the delimiter. */
const readOtherwise = /^(?:\s|sep=)|\s$/i;

/** A row of blank texts alone stands in quotes: without them readers pass over it. */
function textOf(rows: readonly (readonly Cell[])[], format: StringifyOptions): string {
  if (!rows.some(isBlank)) return stringify([...rows], format);
  const inQuotes = { ...format, quoted: true, quoted_empty: true };
  return rows.map((row) => stringify([row], isBlank(row) ? inQuotes : format)).join("");
}

function isBlank(row: readonly Cell[]): boolean {
  return row.every((cell) => cell === null || (typeof cell === "string" && isBlankText(cell)));
}

/** The preflight of `open`. */
async function lookAt(
  { path, columns }: Pick<Writing, "path" | "columns">,
  context: SinkContext,
): Promise<Omit<SinkSession, "write">> {
  context.signal.throwIfAborted();
  await TargetFile.preflight(`CSVSink ${path}`, path, context);
  return { check: (values) => findViolations(columns, values), close: async () => {} };
}

/** @throws {SinkDataError} for what {@link findViolations} reports: nothing was written */
function toCells(owner: string, columns: readonly string[], values: ColumnValues): Cell[] {
  const [violation] = findViolations(columns, values);
  if (violation !== undefined) {
    throw new SinkDataError(owner, violation.message, { facts: { where: violation.column } });
  }
  return columns.map((column) => toCell(values[column]));
}

function findViolations(columns: readonly string[], values: ColumnValues): readonly Violation[] {
  return columns.flatMap((column) => {
    const problem = problemOf(values[column]);
    if (problem === undefined) return [];
    const message = `column "${column}" ${problem}`;
    return [{ column, message, detail: message }];
  });
}
