import { closest } from "../errors/closest.ts";
import { SourceError } from "../errors/source.ts";
import { listItems, listNames } from "../errors/name-list.ts";
import type { CSVRow } from "./parse.ts";

export interface HeaderExpectation {
  readonly primaryKeyColumn: string;
  readonly rowNumberColumn: string | undefined;
  readonly delimiter: string;
}

/**
 * The names of the columns.
 *
 * @throws {SourceError} if they can't name the columns of a row, or lack one that is needed
 */
export function readHeader(owner: string, row: CSVRow, expected: HeaderExpectation): readonly string[] {
  const problem = findProblem(row, expected);
  if (problem !== undefined) throw new SourceError(owner, `the header (line ${row.line}) ${problem}`);
  return row.cells;
}

function findProblem({ cells }: CSVRow, expected: HeaderExpectation): string | undefined {
  const { primaryKeyColumn, rowNumberColumn } = expected;
  if (cells.some((name) => name.includes("\0"))) {
    return 'has zero bytes in it; if the file is in UTF-16, set the option encoding: "utf-16le"';
  }
  const blank = cells.flatMap((name, index) => (name.trim() === "" ? [index + 1] : []));
  if (blank.length > 0) return `has no name for column ${listItems(blank)} of ${cells.length}; give each column a name`;
  const duplicate = [...new Set(cells.filter((name, index) => cells.indexOf(name) !== index))];
  if (duplicate.length > 0) return `has more than one column named ${listNames(duplicate)}; rename all but one`;
  if (cells.includes("__proto__"))
    return 'has a column named "__proto__", which JavaScript keeps for itself; rename it';
  if (rowNumberColumn !== undefined && cells.includes(rowNumberColumn)) {
    return `has a column "${rowNumberColumn}" already; give the option rowNumberColumn another name, or leave it out`;
  }
  if (primaryKeyColumn === rowNumberColumn || cells.includes(primaryKeyColumn)) return undefined;
  return (
    `has no column "${primaryKeyColumn}", the primaryKeyColumn; its columns are ${listNames(cells)}` +
    suggest(cells, expected)
  );
}

function suggest(cells: readonly string[], { primaryKeyColumn, delimiter }: HeaderExpectation): string {
  const [only] = cells;
  const other = [";", "\t", "|", ","].find((candidate) => candidate !== delimiter && only?.includes(candidate));
  if (cells.length === 1 && other !== undefined) return `; is the delimiter ${JSON.stringify(other)}?`;
  const [nearest] = closest(primaryKeyColumn, cells, 1);
  if (nearest !== undefined) return `; did you mean "${nearest}"?`;
  return "; for a file without a key, rowNumberColumn adds one";
}
