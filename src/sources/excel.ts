import type { Requirements } from "../contracts/requirements.ts";
import type { CountContext, ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";
import { scanForKeys } from "../engine/primary-key.ts";
import { RowError } from "../errors/llm-etl-error.ts";
import { listItems } from "../errors/name-list.ts";
import {
  checkOptions,
  isBoolean,
  isCount,
  isName,
  isObject,
  isOneOf,
  isPath,
  type OptionCheck,
  optional,
} from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { CellFault, cellFaults } from "../excel/cell-value.ts";
import { readingRequirements } from "../excel/packages.ts";
import { isBlankCell, readSheet, type SheetReading } from "../excel/read-rows.ts";
import type { SheetRow } from "../excel/sheet-rows.ts";
import type { ExcelValue } from "../excel/value.ts";
import { absolutePath } from "../files/paths.ts";

export type { ExcelValue } from "../excel/value.ts";

/** The options of an {@link ExcelSource}. */
export interface ExcelSourceOptions<Row extends object> {
  /** The workbook (`.xlsx`, `.xlsm`); a text is relative to the working directory. */
  readonly filePath: string | URL;
  /** The column that identifies a row: a value of its own for each row, never blank. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** Checks and converts each row. @default rows are as the sheet has them */
  readonly schema?: RowSchema<Row> | undefined;
  /** The name of the sheet, or its number from 1, hidden ones counted. @default the first that is not hidden */
  readonly sheet?: string | number | undefined;
  /** The number of the row with the names of the columns, as Excel shows it; rows above it are passed over. @default 1 */
  readonly headerRow?: number | undefined;
  /** The name of a column to add, with the row's number as text from "1" up: a key for a sheet that has none. */
  readonly rowNumberColumn?: string | undefined;
  /** Gives a name that other columns have, too, a number: `note`, `note_2`. @default false: such a header is rejected */
  readonly uniqueNames?: boolean | undefined;
  /**
   * The meaning of a cell with an error (`#N/A`, `#DIV/0!`), or with a number that is no date where its format is one of dates: `"reject"` makes it
   * the error of its row, `"null"` an empty cell. @default "reject"
   */
  readonly errorCells?: "reject" | "null" | undefined;
}

const isSheet: OptionCheck = {
  expected: "the name of a sheet, or its number from 1",
  fits: (value) => (typeof value === "string" ? isName.fits(value) : isCount(1).fits(value)),
  required: false,
};

/**
 * Reads the rows of one sheet of an Excel workbook, some at a time: memory grows with the distinct texts of the workbook, not with its rows.
 * It needs the packages `sax` and `yauzl`.
 *
 * A cell is a text, a number, a boolean or a `Date`, in UTC, as its number format says; a time of day is text, `"08:30:00"`. A formula is the
 * result that Excel stored. Empty cells are null. Of merged cells the first has the value, the others are empty. Hidden rows and columns are read. Rows
 * that hold nothing are passed over, and those between others counted apart (`report.emptyRowCount`).
 *
 * A cell with an error, a formula without its result, and a value beyond the header's columns are the error of their row, with its number, and
 * reading goes on. A file that is missing, or no workbook, a sheet that is not there and a header that can't be used end the source with a
 * {@link SourceError} before the first row.
 *
 * @example new ExcelSource({ filePath: "data/tickets.xlsx", sheet: "Open", primaryKeyColumn: "Ticket", schema: Ticket })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class ExcelSource<Row extends object = Record<string, ExcelValue>> implements Source<Row> {
  readonly name = "excel";
  readonly namesAreData = true;
  readonly requirements: Requirements = readingRequirements;
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly files: readonly string[];
  /** Opens the file at the first pull, each time anew. It takes no parameters. */
  readonly read: (context: ReadContext) => AsyncGenerator<SourceRow, void, undefined>;
  /** Reads the sheet once, up to the last row that is looked for. */
  readonly find: (pks: readonly string[], context: ReadContext) => Promise<AsyncGenerator<SourceRow, void, undefined>>;
  /** Reads the whole sheet once more. */
  readonly count: (context: CountContext) => Promise<number>;

  constructor(options: ExcelSourceOptions<Row>) {
    checkOptions("ExcelSource", options, {
      filePath: isPath,
      primaryKeyColumn: isName,
      schema: optional(isObject),
      sheet: isSheet,
      headerRow: optional(isCount(1)),
      rowNumberColumn: optional(isName),
      uniqueNames: optional(isBoolean),
      errorCells: optional(isOneOf("reject", "null")),
    });
    const { primaryKeyColumn, sheet, headerRow = 1, rowNumberColumn, uniqueNames = false } = options;
    const path = absolutePath(options.filePath);
    const owner = `ExcelSource ${path}`;
    const reading = { owner, path, sheet, headerRow, primaryKeyColumn, rowNumberColumn, uniqueNames };
    const place = { reading, errorsAreNull: options.errorCells === "null" };
    this.primaryKeyColumn = primaryKeyColumn;
    this.schema = options.schema;
    this.files = [path];
    this.read = (context) => readRows(place, context);
    this.find = async (pks, context) => await Promise.resolve(scanForKeys(this, pks, context));
    this.count = async (context) => await countRows(reading, context);
  }
}

interface Place {
  readonly reading: SheetReading;
  readonly errorsAreNull: boolean;
}

async function* readRows(
  place: Place,
  { signal, parameters, onEmptyRows, onFound }: ReadContext,
): AsyncGenerator<SourceRow, void, undefined> {
  const { reading } = place;
  const names = Object.keys(parameters);
  if (names.length > 0) {
    throw new SourceError(reading.owner, "a workbook takes no parameters", {
      facts: { got: names.join(", "), hint: "leave them out" },
    });
  }
  let position = 0;
  let next = reading.headerRow + 1;
  for await (const { columns, rows } of readSheet(reading, { signal, onFound })) {
    for (const row of rows) {
      signal.throwIfAborted();
      if (row.cells.every(isBlankCell)) continue;
      if (row.number > next) onEmptyRows?.(row.number - next);
      next = row.number + 1;
      position += 1;
      yield toSourceRow(place, columns, row, position);
    }
  }
}

async function countRows(reading: SheetReading, { signal, limit }: CountContext): Promise<number> {
  let count = 0;
  for await (const { rows } of readSheet(reading, { signal })) {
    for (const { cells } of rows) if (!cells.every(isBlankCell)) count += 1;
    if (count >= limit) break;
  }
  return count;
}

function toSourceRow(
  { reading, errorsAreNull }: Place,
  columns: readonly string[],
  { number, cells }: SheetRow,
  position: number,
): SourceRow {
  let faults: Map<string, number[]> | undefined;
  const note = (fault: string, column: number): void => {
    faults ??= new Map();
    faults.set(fault, [...(faults.get(fault) ?? []), column]);
  };
  const raw: Record<string, ExcelValue> = {};
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] ?? null;
    if (!(cell instanceof CellFault)) {
      raw[column] = cell;
      continue;
    }
    raw[column] = null;
    const isEmpty = errorsAreNull && (cell.kind === "error" || cell.kind === "date");
    if (!isEmpty) note(cellFaults[cell.kind], index + 1);
  }
  for (let index = columns.length; index < cells.length; index += 1) {
    if (!isBlankCell(cells[index])) note(beyondHeader, index + 1);
  }
  if (reading.rowNumberColumn !== undefined) raw[reading.rowNumberColumn] = String(position);
  if (faults === undefined) return { position, raw };
  return { position, error: rowError(reading, faults, { number, cells }, position), raw: textsOf(cells) };
}

function rowError(
  { path }: SheetReading,
  faults: ReadonlyMap<string, readonly number[]>,
  { number, cells }: SheetRow,
  position: number,
): RowError {
  const parts = [...faults].map(([fault, columns]) => `${fault} in column ${listItems(columns)}`);
  const problem = `row ${position} (row ${number} of the sheet in ${path}) has ${parts.join(", and ")}`;
  const columns = [...faults.values()].flat().toSorted((left, right) => left - right);
  return new RowError("EXCEL_ROW_INVALID", problem, {
    detail: `${problem}, ${JSON.stringify(textsOf(cells))}`,
    facts: { where: position, row: number, path, columns, hint: hintFor([...faults.keys()]) },
  });
}

const beyondHeader = "a value where the header has no column";

function hintFor(faults: readonly string[]): string {
  if (faults.includes(cellFaults.formula)) {
    return "open the workbook in Excel and save it: the program that wrote it did not calculate";
  }
  if (faults.includes(beyondHeader)) return "remove the value, or give its column a name in the header";
  const mayBeEmpty = faults.every((fault) => fault === cellFaults.error || fault === cellFaults.date);
  return mayBeEmpty ? 'correct the cell, or set errorCells: "null" if it may be empty' : "correct the cell";
}

/** The cells as they are shown where a row is not usable. */
function textsOf(cells: SheetRow["cells"]): readonly unknown[] {
  return Array.from(cells, (cell) => {
    if (cell instanceof CellFault) return cell.text;
    return typeof cell === "bigint" ? String(cell) : (cell ?? null);
  });
}
