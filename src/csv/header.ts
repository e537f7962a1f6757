import { closest, isTypingMistake } from "../errors/closest.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { SourceError } from "../errors/source.ts";
import { listItems, listNames } from "../errors/name-list.ts";
import type { CSVRow } from "./parse.ts";

export interface HeaderExpectation {
  readonly primaryKeyColumn: string;
  readonly rowNumberColumn: string | undefined;
  readonly delimiter: string;
}

/**
 * Reads the names of the columns.
 *
 * @throws {SourceError} if a name is blank or occurs twice, or if the primary key column is missing; with the `line`. Its message has
 * columns by their number: in a file without a header the names are the first row. The detail has them.
 */
export function readHeader(owner: string, row: CSVRow, expected: HeaderExpectation): readonly string[] {
  const found = findProblem(row, expected);
  if (found === undefined) return row.cells;
  const { problem, isOfNames = false, ...facts } = found;
  const message = `the header (line ${row.line}) ${problem}`;
  const detail = isOfNames ? `${owner}: ${message}; its columns are ${listNames(row.cells)}` : undefined;
  throw new SourceError(owner, message, { detail, facts: { line: row.line, ...facts } });
}

function findProblem(
  { cells }: CSVRow,
  expected: HeaderExpectation,
): (ErrorFacts & { readonly problem: string; readonly isOfNames?: boolean }) | undefined {
  const { primaryKeyColumn, rowNumberColumn } = expected;
  if (cells.some((name) => name.includes("\0"))) {
    return { problem: "has zero bytes in it", hint: 'if the file is in UTF-16, set the option encoding: "utf-16le"' };
  }
  const blank = cells.flatMap((name, index) => (name.trim() === "" ? [index + 1] : []));
  if (blank.length > 0) {
    const problem = `has no name for column ${listItems(blank)} of ${cells.length}`;
    return { problem, where: blank, hint: "give each column a name" };
  }
  const twice = cells.flatMap((name, index) => (cells.indexOf(name) === cells.lastIndexOf(name) ? [] : [index + 1]));
  if (twice.length > 0) {
    const problem = `has names that other columns have, too: columns ${listItems(twice)} of ${cells.length}`;
    return { problem, isOfNames: true, where: twice, hint: "rename all but one of each" };
  }
  if (cells.includes("__proto__")) {
    const problem = 'has a column named "__proto__", which JavaScript keeps for itself';
    return { problem, where: "__proto__", hint: "rename it" };
  }
  if (rowNumberColumn !== undefined && cells.includes(rowNumberColumn)) {
    const hint = "give the option rowNumberColumn another name, or leave it out";
    return { problem: `already has a column "${rowNumberColumn}"`, where: rowNumberColumn, hint };
  }
  if (primaryKeyColumn === rowNumberColumn || cells.includes(primaryKeyColumn)) return undefined;
  const problem = `has no column "${primaryKeyColumn}", the primaryKeyColumn, among its ${cells.length}`;
  return { problem, isOfNames: true, where: primaryKeyColumn, ...suggestion(cells, expected) };
}

function suggestion(cells: readonly string[], { primaryKeyColumn, delimiter }: HeaderExpectation): ErrorFacts {
  const [only] = cells;
  const other = [";", "\t", "|", ","].find((candidate) => candidate !== delimiter && only?.includes(candidate));
  if (cells.length === 1 && other !== undefined) {
    return { delimiter: other, hint: `is the delimiter ${JSON.stringify(other)}?` };
  }
  const [nearest] = closest(primaryKeyColumn, cells, 1);
  if (nearest !== undefined && isTypingMistake(nearest, primaryKeyColumn))
    return { nearest, hint: `did you mean "${nearest}"?` };
  const column = nearest === undefined ? 0 : cells.indexOf(nearest) + 1;
  if (column > 0) return { column, hint: `did you mean column ${column}? Its name is like it` };
  return { hint: "for a file without a key, rowNumberColumn adds one" };
}
