import type { ReadContext } from "../contracts/source.ts";
import { headerError, nameColumns, type NameExpectation, problemOfNames } from "../data-file/column-names.ts";
import { openFile } from "../data-file/read-file.ts";
import { listItems } from "../errors/name-list.ts";
import { openArchive } from "./archive.ts";
import { CellFault } from "./cell-value.ts";
import { notReadable } from "./faults.ts";
import { requireWorkbook } from "./file-kind.ts";
import { loadSax, loadYauzl } from "./packages.ts";
import { readSharedTexts } from "./shared-texts.ts";
import { type SheetRow, SheetRows } from "./sheet-rows.ts";
import { readStyles } from "./styles.ts";
import type { ExcelValue } from "./value.ts";
import { chooseSheet, type Opened, readWorkbook } from "./workbook.ts";

/** All that says how a sheet is read. */
export interface SheetReading extends Omit<NameExpectation, "onFound"> {
  readonly owner: string;
  readonly path: string;
  /** The name of the sheet, or its number from 1; the first that is not hidden where it is left out. */
  readonly sheet: string | number | undefined;
  /** The number of the row with the names of the columns. */
  readonly headerRow: number;
}

/** Rows behind the header, those that hold nothing too, and the names of their columns. */
export interface SheetPart {
  readonly columns: readonly string[];
  readonly rows: readonly SheetRow[];
}

/**
 * Reads a sheet, some rows at a time. The file is opened at the first pull.
 *
 * @throws {SourceError} if the file is no workbook, or the sheet has no usable header
 */
export async function* readSheet(
  reading: SheetReading,
  { signal, onFound = () => {} }: Pick<ReadContext, "signal" | "onFound">,
): AsyncGenerator<SheetPart, void, undefined> {
  const { owner, path, headerRow } = reading;
  signal.throwIfAborted();
  const [yauzl, sax] = await Promise.all([loadYauzl(owner), loadSax(owner)]);
  const file = await openFile(owner, path);
  try {
    if (!(await file.stat()).isFile()) {
      throw notReadable(owner, "a pipe or a device", { hint: "a workbook is read from its end: copy it to a file" });
    }
    await requireWorkbook(owner, file);
    const opened: Opened = { owner, sax, signal, archive: await openArchive(owner, file, yauzl) };
    const workbook = await readWorkbook(opened);
    const part = chooseSheet(owner, workbook, reading.sheet);
    const texts = await readSharedTexts(opened, workbook.textsPart);
    const styles = await readStyles(opened, workbook.stylesPart);
    const sheet = new SheetRows(owner, { texts, styles, from1904: workbook.from1904 });
    let columns: readonly string[] | undefined;
    for await (const rows of sheet.of(opened.archive.read(part, signal), sax)) {
      if (columns !== undefined) {
        yield { columns, rows };
        continue;
      }
      const at = rows.findIndex(({ number }) => number >= headerRow);
      const header = rows[at];
      if (header === undefined) continue;
      columns = namesIn(header, reading, onFound);
      yield { columns, rows: rows.slice(at + 1) };
    }
    if (columns === undefined) throw withoutHeader(reading);
  } finally {
    await file.close();
  }
}

function withoutHeader({ owner, headerRow }: SheetReading): Error {
  const hint = `the option "headerRow" says in which row the names of the columns are (${headerRow})`;
  return headerError(owner, `the header (row ${headerRow} of the sheet)`, [], {
    problem: "is empty",
    row: headerRow,
    hint,
  });
}

function namesIn(
  { number, cells }: SheetRow,
  reading: SheetReading,
  onFound: NameExpectation["onFound"],
): readonly string[] {
  const { owner, headerRow, primaryKeyColumn } = reading;
  let width = number === headerRow ? cells.length : 0;
  while (width > 0 && isBlankCell(cells[width - 1])) width -= 1;
  if (width === 0) throw withoutHeader(reading);
  const place = `the header (row ${headerRow} of the sheet)`;
  const given = Array.from({ length: width }, (_, index) => cells[index] ?? null);
  const faulty = given.flatMap((cell, index) => (cell instanceof CellFault ? [index + 1] : []));
  if (faulty.length > 0) {
    const problem = `has no text in column ${listItems(faulty)}: an error, a formula without its result, or no date`;
    throw headerError(owner, place, [], { problem, row: headerRow, where: faulty, hint: "give the column a name" });
  }
  const expected = { ...reading, onFound };
  const texts = given.map((cell) => textOfName(cell, primaryKeyColumn));
  const names = nameColumns(texts, expected);
  const found = problemOfNames(names, expected, { hint: hintFor(texts) });
  if (found === undefined) return names;
  throw headerError(owner, place, texts, { row: headerRow, ...found });
}

function textOfName(cell: ExcelValue | CellFault, primaryKeyColumn: string): string {
  if (cell === null || cell instanceof CellFault) return "";
  const text = cell instanceof Date ? cell.toISOString() : String(cell);
  return text === primaryKeyColumn ? text : text.trim();
}

function hintFor(names: readonly string[]): string {
  return names.filter((name) => name.trim() !== "").length === 1
    ? "does the header stand further down? The option headerRow is its row"
    : "for a sheet without a key, rowNumberColumn adds one; is this the sheet that is meant? The option sheet names one";
}

/** True for a cell that holds nothing, or blanks. */
export function isBlankCell(cell: SheetRow["cells"][number]): boolean {
  return cell === undefined || cell === null || (typeof cell === "string" && cell.trim() === "");
}
