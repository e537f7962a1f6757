import { closest, isTypingMistake } from "../errors/closest.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { listItems, listNames } from "../errors/name-list.ts";
import { SourceError } from "../errors/source.ts";

/** All that the names of the columns of a file with a header are read with. */
export interface NameExpectation {
  readonly primaryKeyColumn: string;
  readonly rowNumberColumn: string | undefined;
  /** True if a name that other columns have, too, is given a number. */
  readonly uniqueNames: boolean;
  /** Called with what had to be done to the names; without the names. */
  readonly onFound: (finding: string) => void;
}

/** A fault of a header. `isOfNames`: its names say more of it, and belong in the detail. */
export type HeaderProblem = ErrorFacts & { readonly problem: string; readonly isOfNames?: boolean };

/** The name of a column that has none, by its number from 1. */
export function columnName(column: number): string {
  return `column${column}`;
}

/** The error of a header. Its message has columns by their number, for its names may be content; the detail has them. */
export function headerError(
  owner: string,
  header: string,
  names: readonly string[],
  { problem, isOfNames = false, ...facts }: HeaderProblem,
): SourceError {
  const message = `${header} ${problem}`;
  const detail = isOfNames ? `${owner}: ${message}; its columns are ${listNames(names)}` : undefined;
  return new SourceError(owner, message, { detail, facts });
}

/** Gives a column without a name its number, `column3`; with `uniqueNames`, one with the name of another a number behind it. */
export function nameColumns(
  given: readonly string[],
  { uniqueNames, onFound }: Pick<NameExpectation, "uniqueNames" | "onFound">,
): readonly string[] {
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

/**
 * Finds the reason why names can't be those of columns: one occurs twice, or the primary key column is missing.
 *
 * @param suggestion the facts that help where the key is missing: `before` all else, `hint` where no name is like it
 */
export function problemOfNames(
  names: readonly string[],
  { primaryKeyColumn, rowNumberColumn }: NameExpectation,
  suggestion: { readonly before?: ErrorFacts | undefined; readonly hint: string },
): HeaderProblem | undefined {
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
  const { before = nearestTo(primaryKeyColumn, names), hint } = suggestion;
  return { problem, isOfNames: true, where: primaryKeyColumn, hint, ...before };
}

/** The name that is meant, where that is sure; else the column whose name is like it. */
function nearestTo(wanted: string, names: readonly string[]): ErrorFacts | undefined {
  const [nearest] = closest(wanted, names, 1);
  if (nearest !== undefined && isTypingMistake(nearest, wanted)) return { nearest, hint: `did you mean "${nearest}"?` };
  const column = nearest === undefined ? 0 : names.indexOf(nearest) + 1;
  return column > 0 ? { column, hint: `did you mean column ${column}? Its name is like it` } : undefined;
}
