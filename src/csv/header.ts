import { closest, isTypingMistake } from "../errors/closest.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { SourceError } from "../errors/source.ts";
import { listItems, listNames } from "../errors/name-list.ts";
import { unmapped } from "./decode.ts";
import { columnName } from "./format.ts";
import type { CSVRow } from "./parse.ts";

export interface HeaderExpectation {
  readonly primaryKeyColumn: string;
  readonly rowNumberColumn: string | undefined;
  readonly delimiter: string;
  /** True if a name that other columns have, too, is given a number. */
  readonly uniqueNames: boolean;
  /** Called with what had to be done to the names; without the names. */
  readonly onFound: (finding: string) => void;
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
  const names = broken === undefined ? namesOf(row, expected) : row.cells;
  const found = broken ?? findProblem(names, row, expected);
  if (found === undefined) return names;
  const { problem, isOfNames = false, ...facts } = found;
  const message = `the header (line ${row.line}) ${problem}`;
  const detail = isOfNames ? `${owner}: ${message}; its columns are ${listNames(row.cells)}` : undefined;
  throw new SourceError(owner, message, { detail, facts: { line: row.line, ...facts } });
}

type Problem = ErrorFacts & { readonly problem: string; readonly isOfNames?: boolean };

/** A header that was not read as it should be. */
function findBroken({ cells, isUnclosed = false }: CSVRow): Problem | undefined {
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

function namesOf(
  { cells, quoted }: CSVRow,
  { primaryKeyColumn, uniqueNames, onFound }: HeaderExpectation,
): readonly string[] {
  const asTheyAre = new Set(quoted);
  const given = cells.map((name, index) => (asTheyAre.has(index) || name === primaryKeyColumn ? name : name.trim()));
  const taken = new Set(given);
  const unnamed: number[] = [];
  const numbers = new Map<string, number>();
  const seen = new Set<string>();
  const renamed: number[] = [];
  const free = (name: string): string => {
    let number = numbers.get(name) ?? 2;
    while (taken.has(`${name}_${number}`)) number += 1;
    numbers.set(name, number + 1);
    taken.add(`${name}_${number}`);
    return `${name}_${number}`;
  };
  const names = given.map((name, index) => {
    const column = index + 1;
    if (name.trim() === "") {
      unnamed.push(column);
      if (taken.has(columnName(column))) return free(columnName(column));
      taken.add(columnName(column));
      return columnName(column);
    }
    if (!uniqueNames || !seen.has(name)) {
      seen.add(name);
      return name;
    }
    renamed.push(column);
    return free(name);
  });
  if (unnamed.length > 0)
    onFound(`column ${listItems(unnamed)} has no name, and is called by its number: column${unnamed[0]}`);
  if (renamed.length > 0) onFound(`column ${listItems(renamed)} has the name of another, and got a number behind it`);
  return names;
}

function findProblem(names: readonly string[], row: CSVRow, expected: HeaderExpectation): Problem | undefined {
  const { primaryKeyColumn, rowNumberColumn } = expected;
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const twice = names.flatMap((name, index) => ((counts.get(name) ?? 0) > 1 ? [index + 1] : []));
  if (twice.length > 0) {
    const problem = `has names that other columns have, too: columns ${listItems(twice)} of ${names.length}`;
    const hint = "rename all but one of each, or set uniqueNames: true";
    return { problem, isOfNames: true, where: twice, hint };
  }
  if (counts.has("__proto__")) {
    const problem = 'has a column named "__proto__", which JavaScript keeps for itself';
    return { problem, where: "__proto__", hint: "rename it" };
  }
  if (rowNumberColumn !== undefined && counts.has(rowNumberColumn)) {
    const hint = "give the option rowNumberColumn another name, or leave it out";
    return { problem: `already has a column "${rowNumberColumn}"`, where: rowNumberColumn, hint };
  }
  if (primaryKeyColumn === rowNumberColumn || counts.has(primaryKeyColumn)) return undefined;
  const problem = `has no column "${primaryKeyColumn}", the primaryKeyColumn, among its ${names.length}`;
  return { problem, isOfNames: true, where: primaryKeyColumn, ...suggestion(names, row.cells, expected) };
}

function suggestion(
  names: readonly string[],
  cells: readonly string[],
  { primaryKeyColumn, delimiter }: HeaderExpectation,
): ErrorFacts {
  const [only] = cells;
  const other = [";", "\t", "|", ","].find((candidate) => candidate !== delimiter && only?.includes(candidate));
  if (cells.length === 1 && other !== undefined) {
    return { delimiter: other, hint: `is the delimiter ${JSON.stringify(other)}?` };
  }
  const [nearest] = closest(primaryKeyColumn, names, 1);
  if (nearest !== undefined && isTypingMistake(nearest, primaryKeyColumn))
    return { nearest, hint: `did you mean "${nearest}"?` };
  const column = nearest === undefined ? 0 : names.indexOf(nearest) + 1;
  if (column > 0) return { column, hint: `did you mean column ${column}? Its name is like it` };
  const further = "does the header stand further down? skipLines passes over the lines before it";
  if (cells.filter((cell) => cell.trim() !== "").length === 1) return { hint: further };
  return { hint: "for a file without a key, rowNumberColumn adds one; for a file without a header, set header: false" };
}
