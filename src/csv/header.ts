import {
  headerError,
  type HeaderProblem,
  nameColumns,
  type NameExpectation,
  problemOfNames,
} from "../data-file/column-names.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { listItems } from "../errors/name-list.ts";
import { unmapped } from "./decode.ts";
import type { CSVRow } from "./parse.ts";

export interface HeaderExpectation extends NameExpectation {
  readonly delimiter: string;
}

/**
 * Reads the names of the columns, without the blanks around those that don't stand in quotes. A column without a name gets one:
 * `column3`.
 *
 * @throws {SourceError} if a name occurs twice, or if the primary key column is missing; with the `line`. Its message has
 * columns by their number: in a file without a header the names are the first row. The detail has them.
 */
export function readHeader(owner: string, row: CSVRow, expected: HeaderExpectation): readonly string[] {
  const broken = findBroken(row);
  const names = broken === undefined ? nameColumns(withoutBlanks(row, expected), expected) : row.cells;
  const { cells, line } = row;
  const suggestion = { before: otherDelimiter(cells, expected), hint: hintFor(cells) };
  const found = broken ?? problemOfNames(names, expected, suggestion);
  if (found === undefined) return names;
  throw headerError(owner, `the header (line ${line})`, cells, { line, ...found });
}

/** A header that was not read as it should be. */
function findBroken({ cells, isUnclosed = false }: CSVRow): HeaderProblem | undefined {
  if (isUnclosed) {
    return {
      problem: "has a quote that is not closed",
      hint: "close it, or double it if it is text; or set quote: null",
    };
  }
  const zero = cells.find((name) => name.includes("\0"));
  if (zero !== undefined) {
    const encoding = zero.startsWith("\0") ? "utf-16be" : "utf-16le";
    return {
      problem: "has zero bytes in it",
      hint: `if the file is in UTF-16, set the option encoding: "${encoding}"`,
    };
  }
  const where = cells.flatMap((name, index) => (name.includes(unmapped) ? [index + 1] : []));
  if (where.length === 0) return undefined;
  const problem = `has bytes that are no characters in its encoding: column ${listItems(where)} of ${cells.length}`;
  return { problem, where, hint: "set the option encoding to that of the file" };
}

function withoutBlanks({ cells, quoted }: CSVRow, { primaryKeyColumn }: HeaderExpectation): readonly string[] {
  const asTheyAre = new Set(quoted);
  return cells.map((name, index) => (asTheyAre.has(index) || name === primaryKeyColumn ? name : name.trim()));
}

/** The delimiter that the only cell has in it. */
function otherDelimiter(cells: readonly string[], { delimiter }: HeaderExpectation): ErrorFacts | undefined {
  const [only] = cells;
  const other = [";", "\t", "|", ","].find((candidate) => candidate !== delimiter && only?.includes(candidate));
  if (cells.length !== 1 || other === undefined) return undefined;
  return { delimiter: other, hint: `is the delimiter ${JSON.stringify(other)}?` };
}

function hintFor(cells: readonly string[]): string {
  return cells.filter((cell) => cell.trim() !== "").length === 1
    ? "does the header stand further down? skipLines passes over the lines before it"
    : "for a file without a key, rowNumberColumn adds one; for a file without a header, set header: false";
}
