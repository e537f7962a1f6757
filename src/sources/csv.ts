import { unmapped } from "../csv/decode.ts";
import { type CSVEncoding, requireEncoding } from "../csv/encodings.ts";
import { type CSVFilePath, filePathChecks, filePathOf } from "../csv/file-path.ts";
import { type CSVFormatOptions, formatChecks, isDelimiter, requireTogether } from "../csv/options.ts";
import { type CSVRow, isBlankRow } from "../csv/parse.ts";
import { type CSVReading, readParts } from "../csv/read-rows.ts";
import { RowError } from "../errors/llm-etl-error.ts";
import { listItems } from "../errors/name-list.ts";
import { SourceError } from "../errors/source.ts";
import { checkOptions, isName, isObject, isTextList, optional } from "../errors/options.ts";
import { scanForKeys } from "../engine/primary-key.ts";
import { isReadOnce } from "../files/read-once.ts";
import type { CountContext, ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";

interface CSVFile<Row extends object> extends CSVFormatOptions {
  /** The column that identifies a row: a value of its own for each row, never blank. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** The separator of cells: one character. A first line `sep=;` in the file says it, too, and wins. @default "," */
  readonly delimiter?: string;
  /**
   * The encoding of the file: `"utf-8"`, `"utf-16le"`, `"utf-16be"`, `"windows-1252"`, or any that iconv-lite knows. In UTF-8 and UTF-16LE
   * a wrong byte ends the source; in others it is the error of its row. Byte order marks are removed, and rejected if they
   * are those of another encoding. @default "utf-8"
   */
  readonly encoding?: CSVEncoding;
  /** The name of a column to add, with the row's number as text from "1" up: a key for a file that has none. */
  readonly rowNumberColumn?: string;
}

interface WithSchema<Row extends object> {
  /** Checks and converts each row; without it every cell is text. */
  readonly schema: RowSchema<Row>;
  /** Cells that equal one of these become null, before the schema sees them. @default [] */
  readonly nullValues?: readonly string[];
}

interface WithoutSchema<Values> {
  readonly schema?: undefined;
  /** Cells that equal one of these become null; `Row` must allow it, as in `CSVSource<Record<string, string | null>>`. */
  readonly nullValues?: null extends Values ? readonly string[] : readonly string[] & RowWithoutNull;
}

/** No value has this type. The compiler shows it in its message if `nullValues` is given for a row without null. */
interface RowWithoutNull {
  readonly "nullValues makes cells null: write new CSVSource<Record<string, string | null>>(…), or give a schema": never;
}

/** A `Row` with values that are not text needs a schema that converts them: the file holds text only. */
export type CSVSourceOptions<Row extends object = Record<string, string>> = CSVFilePath &
  CSVFile<Row> &
  (WithSchema<Row> | ([Row[keyof Row]] extends [string | null | undefined] ? WithoutSchema<Row[keyof Row]> : never));

/** The options by name, for any row. */
type GivenOptions<Row> = CSVFilePath &
  Omit<CSVFile<Record<string, string>>, "primaryKeyColumn"> & {
    readonly primaryKeyColumn: keyof Row & string;
    readonly schema?: RowSchema<Row> | undefined;
    readonly nullValues?: readonly string[];
  };

/**
 * Reads the rows of a CSV file (RFC 4180; LF, CRLF or CR), a chunk at a time. The first row names the columns, unless `header`
 * says otherwise. Blank lines are skipped. A row of nothing but delimiters and blanks is passed over, and counted apart
 * (`report.emptyRowCount`). Blanks around names and before and after quotes are nothing; a column without a name is `column` and its number.
 *
 * A row with too few or too many cells is a row error with its line number, and reading goes on. A misplaced quote
 * (within a cell that does not begin with one, or before the end of one that does) is text, as in a spreadsheet; it
 * is a row error only if it leaves the row with too few or too many cells. A quote that opens a cell and is never closed is a row error,
 * and so is one that takes the lines behind it into its cell and is not closed as it should be; reading goes on with the next line.
 *
 * A missing or empty file, a header that can't be used, bytes that are not text in UTF-8 or UTF-16LE and a row of more than
 * 16 MiB end the source with a {@link SourceError}, after the rows before it.
 *
 * @example new CSVSource({ filePath: "data/complaints.csv", primaryKeyColumn: "Complaint ID" })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class CSVSource<Row extends object = Record<string, string>> implements Source<Row> {
  readonly name = "csv";
  /** False if the names of the columns are those of the option `header`. */
  readonly namesAreData: boolean;
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly files: readonly string[];
  /** Opens the file at the first pull, each time anew. It takes no parameters. */
  readonly read: (context: ReadContext) => AsyncGenerator<SourceRow, void, undefined>;
  /** Reads the file once, up to the last row that is looked for. */
  readonly find: (pks: readonly string[], context: ReadContext) => Promise<AsyncGenerator<SourceRow, void, undefined>>;
  /** Reads the whole file once more. Resolves to undefined for a pipe: what the count took from it, the run would lack. */
  readonly count: (context: CountContext) => Promise<number | undefined>;

  constructor(options: CSVSourceOptions<Row>) {
    const given: GivenOptions<Row> = options;
    checkOptions<GivenOptions<Row>>("CSVSource", given, {
      ...filePathChecks,
      primaryKeyColumn: isName,
      schema: optional(isObject),
      delimiter: optional(isDelimiter),
      encoding: optional(isName),
      ...formatChecks,
      nullValues: optional(isTextList),
      rowNumberColumn: optional(isName),
    });
    const { primaryKeyColumn, schema, delimiter = ",", encoding = "utf-8", header = true, rowNumberColumn } = given;
    requireTogether("CSVSource", { ...given, delimiter, rowNumberColumn });
    const reading: CSVReading = {
      path: filePathOf("CSVSource", given),
      encoding: requireEncoding("CSVSource", encoding),
      primaryKeyColumn,
      rowNumberColumn,
      delimiter,
      header,
      skipLines: given.skipLines ?? 0,
      quote: given.quote === undefined ? '"' : given.quote,
      escape: given.escape,
      comment: given.comment,
      uniqueNames: given.uniqueNames ?? false,
    };
    const nullValues = new Set(given.nullValues);
    this.namesAreData = header === true;
    this.primaryKeyColumn = primaryKeyColumn;
    this.schema = schema;
    this.files = [reading.path];
    this.read = (context) => readRows(reading, nullValues, context);
    this.find = async (pks, context) => await Promise.resolve(scanForKeys(this, pks, context));
    this.count = async (context) => (isReadOnce(reading.path) ? undefined : await countRows(reading, context));
  }
}

async function* readRows(
  reading: CSVReading,
  nullValues: ReadonlySet<string>,
  { signal, parameters, onEmptyRows, onFound }: ReadContext,
): AsyncGenerator<SourceRow, void, undefined> {
  const names = Object.keys(parameters);
  if (names.length > 0)
    throw new SourceError(`CSVSource ${reading.path}`, "a CSV file takes no parameters", {
      facts: { got: names.join(", "), hint: "leave them out" },
    });
  signal.throwIfAborted();
  let position = 0;
  let emptyCount = 0;
  const passOver = (): void => {
    if (emptyCount > 0) onEmptyRows?.(emptyCount);
    emptyCount = 0;
  };
  for await (const { columns, rows } of readParts(reading, { signal, onFound })) {
    const place: Place = { reading, nullValues, columns };
    for (const row of rows) {
      signal.throwIfAborted();
      if (isBlankRow(row)) {
        emptyCount += 1;
        continue;
      }
      passOver();
      position += 1;
      yield toSourceRow(place, row, position);
    }
    passOver();
  }
}

async function countRows(reading: CSVReading, { signal, limit }: CountContext): Promise<number> {
  let count = 0;
  for await (const { rows } of readParts(reading, { signal })) {
    for (const row of rows) if (!isBlankRow(row)) count += 1;
    if (count >= limit) break;
  }
  return count;
}

interface Place {
  readonly reading: CSVReading;
  readonly nullValues: ReadonlySet<string>;
  readonly columns: readonly string[];
}

function toSourceRow({ reading, nullValues, columns }: Place, row: CSVRow, position: number): SourceRow {
  const { rowNumberColumn, path, encoding } = reading;
  const { cells } = row;
  const error = rowErrorOf(row, { position, path, encoding, columnCount: columns.length });
  if (error !== undefined) return { position, error, raw: cells.map(inUnicode) };
  const raw: Record<string, string | null> = {};
  let index = 0;
  for (const column of columns) {
    const cell = cells[index] ?? "";
    raw[column] = nullValues.size > 0 && nullValues.has(cell) ? null : cell;
    index += 1;
  }
  if (rowNumberColumn !== undefined) raw[rowNumberColumn] = String(position);
  return { position, raw };
}

interface RowPlace {
  readonly position: number;
  readonly path: string;
  readonly encoding: string;
  readonly columnCount: number;
}

function rowErrorOf(row: CSVRow, { position, path, encoding, columnCount }: RowPlace): RowError | undefined {
  const { cells, line, lastLine, isUnclosed = false } = row;
  const lines = line === lastLine ? `line ${line}` : `lines ${line} to ${lastLine}`;
  const reject = (fault: string, facts: Readonly<Record<string, unknown>>): RowError => {
    const problem = `row ${position} (${lines} of ${path}) ${fault}`;
    return new RowError("CSV_ROW_INVALID", problem, {
      detail: `${problem}, ${JSON.stringify(cells.map(inUnicode))}`,
      facts: { where: position, line, lastLine, path, ...facts },
    });
  };
  if (isUnclosed) {
    const hint = "close the quote, or double it if it is text; quote: null where quotes are text in the whole file";
    return reject(`has a quote on line ${lastLine} that is not closed as it should be`, { hint });
  }
  if (encoding !== "utf-8" && encoding !== "utf-16le") {
    const columns = cells.flatMap((cell, index) => (cell.includes(unmapped) ? [index + 1] : []));
    const hint = "set the option encoding to that of the file, or repair the row";
    if (columns.length > 0) {
      const fault = `has bytes that are no characters in ${encoding}, in column ${listItems(columns)}`;
      return reject(fault, { expected: encoding, columns, hint });
    }
  }
  if (cells.length === columnCount) return undefined;
  const isIndex = position === 1 && cells.length === columnCount + 1;
  return reject("has another number of cells than the header", {
    expected: columnCount,
    got: cells.length,
    hint: isIndex
      ? "a delimiter that is text needs quotes around its cell; if the first column has no name, skipLines: 1 and header: [names of all columns] give it one"
      : "a delimiter or line break that is text needs quotes around its cell",
  });
}

/** The cell as text that any program takes. */
function inUnicode(cell: string): string {
  return cell.replaceAll(unmapped, "\uFFFD");
}
