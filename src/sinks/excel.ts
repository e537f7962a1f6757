import type { ColumnMap, Sink, SinkContext, SinkRun, SinkSession } from "../contracts/sink.ts";
import { lookAtFile, openFileSession } from "../data-file/file-session.ts";
import { filesOfPlace, targetPlace } from "../data-file/target-place.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, isBoolean, isFunctionMap, isPath, type OptionCheck, optional } from "../errors/options.ts";
import { cellProblem } from "../excel/cell-text.ts";
import { maxColumns } from "../excel/faults.ts";
import { beginWorkbook } from "../excel/workbook-writer.ts";
import { absolutePath } from "../files/paths.ts";

/** The options of an {@link ExcelSink}. */
export interface ExcelSinkOptions<State, Column extends string = string> {
  /** The workbook (`.xlsx`); a text is relative to the working directory. Its folder is created if it is missing. */
  readonly filePath: string | URL;
  /** The columns, in the order in which they are written, each with the function that gives its value. */
  readonly columnMap: ColumnMap<State, Column>;
  /** The name of the sheet. @default "Sheet1" */
  readonly sheet?: string | undefined;
  /** Writes the rows in the source's order instead of the order in which they are done. It costs waiting: see `CSVSink`. @default false */
  readonly preserveOrder?: boolean | undefined;
}

const isSheetName: OptionCheck = {
  expected: String.raw`a name of up to 31 characters, without \ / ? * [ ] : and without ' at its ends`,
  fits: (value) =>
    typeof value === "string" &&
    value.isWellFormed() &&
    /^(?!')[^\\/?*[\]:\p{Cc}]{1,31}(?<!')$/u.test(value) &&
    value.length <= 31 &&
    value.trim() !== "" &&
    value.toLowerCase() !== "history", // Excel keeps it for itself
  required: false,
};

/**
 * Writes rows to an Excel workbook (`.xlsx`) with one sheet, whose first row has the names of the columns. It needs no package.
 *
 * Every run writes the whole file anew, as `CSVSink` does: to `<path>.partial` beside it, which a run that completes renames over the
 * file. What may be replaced, rows of a run with `limit` and the lock against a second run are the same. What a run that stopped leaves in the
 * `.partial` file is a workbook, too.
 *
 * Numbers, booleans, dates (in UTC, as Excel has no time zones) and texts are cells of these types: a text that begins with `=` is no formula. A
 * bigint of more than 15 digits is text, for Excel keeps no more of a number; objects and arrays are JSON, bytes base64; null and undefined are empty
 * cells.
 *
 * A row with a text of more than 32,767 characters, or with a date before 1900, fails. The run stops at the row that a sheet has no room for: it has
 * 1,048,576.
 *
 * @example new ExcelSink({ filePath: "output/enriched.xlsx", columnMap: { id: (s) => s.pk, summary: (s) => s.processed.summary.text } })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class ExcelSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "excel";
  readonly identity: string;
  readonly keepsRows = false;
  readonly preserveOrder: boolean;
  readonly columnMap: ColumnMap<State, Column>;
  readonly files: (run: SinkRun) => readonly string[];
  /**
   * Creates the `.partial` file.
   *
   * @throws {SinkError} if the path is a folder, its folder can't be created or written to, or a run is writing to it
   */
  readonly open: (context: SinkContext) => Promise<SinkSession>;
  /** @throws {SinkError} as `open`; makes nothing */
  readonly preflight: (context: SinkContext) => Promise<Omit<SinkSession, "write">>;

  constructor(options: ExcelSinkOptions<State, Column>) {
    checkOptions("ExcelSink", options, {
      filePath: isPath,
      columnMap: isFunctionMap,
      sheet: isSheetName,
      preserveOrder: optional(isBoolean),
    });
    const { columnMap, preserveOrder = false, sheet = "Sheet1" } = options;
    const path = absolutePath(options.filePath);
    const columns = Object.keys(columnMap);
    requireColumns(columns);
    this.identity = path;
    this.preserveOrder = preserveOrder;
    this.columnMap = columnMap;
    this.files = (run) => filesOfPlace(targetPlace(path, run));
    const owner = `ExcelSink ${path}`;
    const begin = () => beginWorkbook({ owner, name: sheet, columns });
    const written = { owner, path, columns, begin, problemOf: cellProblem };
    this.open = async (context) => await openFileSession(written, context);
    this.preflight = async (context) => await lookAtFile(written, context);
  }
}

/** @throws {OptionError} for more columns than a sheet has, or a name that no cell holds */
function requireColumns(columns: readonly string[]): void {
  if (columns.length > maxColumns) {
    const facts = { expected: `at most ${maxColumns} columns`, got: String(columns.length) };
    throw new OptionError("ExcelSink", "columnMap", "", facts);
  }
  const problem = columns.map(cellProblem).find((found) => found !== undefined);
  if (problem !== undefined) throw new OptionError("ExcelSink", "columnMap", `the name of a column ${problem}`);
}
