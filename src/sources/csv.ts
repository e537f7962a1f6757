import { open, type FileHandle } from "node:fs/promises";
import { csvEncodings, decode, type CSVEncoding } from "../csv/decode.ts";
import { readHeader } from "../csv/header.ts";
import { type CSVFilePath, filePathChecks, filePathOf } from "../csv/file-path.ts";
import { isDelimiter } from "../csv/options.ts";
import { parseRows, type CSVRow } from "../csv/parse.ts";
import { RowError } from "../errors/llm-etl-error.ts";
import { SourceError } from "../errors/source.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { checkOptions, isName, isObject, isOneOf, isTextList, optional } from "../errors/options.ts";
import { scanForKeys } from "../engine/primary-key.ts";
import type { CountContext, ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";

interface CSVFile<Row extends object> {
  /** The column that identifies a row: a value of its own for each row, never blank. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** The separator of cells: one character. @default "," */
  readonly delimiter?: string;
  /**
   * The encoding of the file. UTF-8 and UTF-16 are checked. A byte order mark is removed, and rejected if it is that of
   * another encoding. @default "utf-8"
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

const maxRowBytes = 16 * 1024 * 1024;
const chunkBytes = 64 * 1024;

/**
 * Reads the rows of a CSV file (RFC 4180; LF, CRLF or CR), a chunk at a time. The first line that is not blank names the
 * columns; blank lines are skipped.
 *
 * A row with too few or too many cells is a row error with its line number, and reading goes on. A misplaced quote
 * (within a cell that does not begin with one, or before the end of one that does) is text, as in a spreadsheet; it
 * is a row error only if it leaves the row with too few or too many cells.
 *
 * A missing or empty file, a header that can't be used, bytes that are not text in the `encoding`, a quote that is
 * never closed and a row of more than 16 MiB end the source with a {@link SourceError}, after the rows before it.
 *
 * @example new CSVSource({ filePath: "data/complaints.csv", primaryKeyColumn: "Complaint ID" })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class CSVSource<Row extends object = Record<string, string>> implements Source<Row> {
  readonly name = "csv";
  readonly namesAreData = true;
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly files: readonly string[];
  /** Opens the file at the first pull, each time anew. It takes no parameters. */
  readonly read: (context: ReadContext) => AsyncGenerator<SourceRow, void, undefined>;
  /** Reads the file once, up to the last row that is looked for. */
  readonly find: (pks: readonly string[], context: ReadContext) => Promise<AsyncGenerator<SourceRow, void, undefined>>;
  /** Reads the whole file once more. */
  readonly count: (context: CountContext) => Promise<number>;

  constructor(options: CSVSourceOptions<Row>) {
    const given: GivenOptions<Row> = options;
    checkOptions<GivenOptions<Row>>("CSVSource", given, {
      ...filePathChecks,
      primaryKeyColumn: isName,
      schema: optional(isObject),
      delimiter: optional(isDelimiter),
      encoding: optional(isOneOf(...csvEncodings)),
      nullValues: optional(isTextList),
      rowNumberColumn: optional(isName),
    });
    const { primaryKeyColumn, schema, delimiter = ",", encoding = "utf-8", nullValues = [] } = given;
    const reading: Reading = {
      path: filePathOf("CSVSource", given),
      primaryKeyColumn,
      delimiter,
      encoding,
      nullValues: new Set(nullValues),
      rowNumberColumn: given.rowNumberColumn,
    };
    this.primaryKeyColumn = primaryKeyColumn;
    this.schema = schema;
    this.files = [reading.path];
    this.read = (context) => readRows(reading, context);
    this.find = async (pks, context) => await Promise.resolve(scanForKeys(this, pks, context));
    this.count = async (context) => await countRows(reading, context);
  }
}

interface Reading {
  readonly path: string;
  readonly primaryKeyColumn: string;
  readonly delimiter: string;
  readonly encoding: CSVEncoding;
  readonly nullValues: ReadonlySet<string>;
  readonly rowNumberColumn: string | undefined;
}

async function* readRows(
  reading: Reading,
  { signal, parameters }: ReadContext,
): AsyncGenerator<SourceRow, void, undefined> {
  const owner = `CSVSource ${reading.path}`;
  const names = Object.keys(parameters);
  if (names.length > 0)
    throw new SourceError(owner, "a CSV file takes no parameters", {
      facts: { got: names.join(", "), hint: "leave them out" },
    });
  signal.throwIfAborted();
  const file = await openFile(owner, reading.path);
  try {
    const text = decode(chunksOf(file, owner, signal), reading.encoding, owner);
    let columns: readonly string[] | undefined;
    let position = 0;
    for await (const rows of parseRows(text, { owner, delimiter: reading.delimiter, maxRowBytes })) {
      for (const row of rows) {
        signal.throwIfAborted();
        if (columns === undefined) {
          columns = readHeader(owner, row, reading);
        } else {
          position += 1;
          yield toSourceRow(reading, columns, row, position);
        }
      }
    }
    if (columns === undefined)
      throw new SourceError(owner, "the file is empty", {
        facts: { expected: "a header line that names the columns" },
      });
  } finally {
    await file.close();
  }
}

async function countRows(reading: Reading, { signal, limit }: CountContext): Promise<number> {
  const owner = `CSVSource ${reading.path}`;
  const file = await openFile(owner, reading.path);
  try {
    const text = decode(chunksOf(file, owner, signal), reading.encoding, owner);
    let lineCount = 0;
    for await (const rows of parseRows(text, { owner, delimiter: reading.delimiter, maxRowBytes })) {
      lineCount += rows.length;
      if (lineCount > limit) break;
    }
    return Math.max(0, lineCount - 1); // without the header
  } finally {
    await file.close();
  }
}

async function openFile(owner: string, path: string): Promise<FileHandle> {
  const file = await open(path, "r").catch((cause: unknown) => {
    const code = codeOf(cause);
    const isMissing = code === "ENOENT";
    const problem = isMissing ? "there is no such file" : `the file can't be opened (${messageOf(cause)})`;
    const hint = isMissing
      ? 'check the option "filePath"; a text is relative to the working directory'
      : 'check the option "filePath", and the permissions of the file';
    throw new SourceError(owner, problem, { cause, facts: { where: path, code, hint } });
  });
  const isFolder = (await file.stat()).isDirectory();
  if (!isFolder) return file;
  await file.close();
  const hint = 'give the option "filePath" the path of a file';
  throw new SourceError(owner, "this is a folder", { facts: { where: path, code: "EISDIR", hint } });
}

/** The file in chunks; each is overwritten by the next. */
async function* chunksOf(
  file: FileHandle,
  owner: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, null).catch((cause: unknown) => {
      throw new SourceError(owner, `the file can't be read any further (${messageOf(cause)})`, { cause });
    });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function toSourceRow(reading: Reading, columns: readonly string[], row: CSVRow, position: number): SourceRow {
  const { nullValues, rowNumberColumn, path } = reading;
  const { cells } = row;
  if (cells.length !== columns.length) {
    const { line, lastLine } = row;
    const lines = line === lastLine ? `line ${line}` : `lines ${line} to ${lastLine}`;
    const problem = `row ${position} (${lines} of ${path}) has another number of cells than the header`;
    const hint = "a delimiter or line break that is text needs quotes around its cell";
    const error = new RowError("CSV_ROW_INVALID", problem, {
      detail: `${problem}, ${JSON.stringify(cells)}`,
      facts: { where: position, line, lastLine, path, expected: columns.length, got: cells.length, hint },
    });
    return { position, error, raw: cells };
  }
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
