import { closest } from "../errors/closest.ts";
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
 * @throws {SourceError} if a name is blank or occurs twice, or if the primary key column is missing; with the `line`
 */
export function readHeader(owner: string, row: CSVRow, expected: HeaderExpectation): readonly string[] {
  const found = findProblem(row, expected);
  if (found === undefined) return row.cells;
  const { problem, ...facts } = found;
  throw new SourceError(owner, `the header (line ${row.line}) ${problem}`, { facts: { line: row.line, ...facts } });
}

function findProblem(
  { cells }: CSVRow,
  expected: HeaderExpectation,
): (ErrorFacts & { readonly problem: string }) | undefined {
  const { primaryKeyColumn, rowNumberColumn } = expected;
  if (cells.some((name) => name.includes("\0"))) {
    return { problem: "has zero bytes in it", hint: 'if the file is in UTF-16, set the option encoding: "utf-16le"' };
  }
  const blank = cells.flatMap((name, index) => (name.trim() === "" ? [index + 1] : []));
  if (blank.length > 0) {
    const problem = `has no name for column ${listItems(blank)} of ${cells.length}`;
    return { problem, where: blank, hint: "give each column a name" };
  }
  const duplicate = [...new Set(cells.filter((name, index) => cells.indexOf(name) !== index))];
  if (duplicate.length > 0) {
    const problem = `has more than one column named ${listNames(duplicate)}`;
    return { problem, where: duplicate, hint: "rename all but one" };
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
  const problem = `has no column "${primaryKeyColumn}", the primaryKeyColumn; its columns are ${listNames(cells)}`;
  return { problem, where: primaryKeyColumn, ...suggestion(cells, expected) };
}

function suggestion(cells: readonly string[], { primaryKeyColumn, delimiter }: HeaderExpectation): ErrorFacts {
  const [only] = cells;
  const other = [";", "\t", "|", ","].find((candidate) => candidate !== delimiter && only?.includes(candidate));
  if (cells.length === 1 && other !== undefined) {
    return { delimiter: other, hint: `is the delimiter ${JSON.stringify(other)}?` };
  }
  const [nearest] = closest(primaryKeyColumn, cells, 1);
  if (nearest !== undefined) return { nearest, hint: `did you mean "${nearest}"?` };
  return { hint: "for a file without a key, rowNumberColumn adds one" };
}
