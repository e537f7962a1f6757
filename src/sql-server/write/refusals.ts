import { driverFacts } from "../connect/transient-errors.ts";

/** Why the server refused a row, without what may be the value of a cell. */
export interface Refusal {
  readonly number: number;
  /** Completes "the server refused a row: error 2628, …". */
  readonly reason: string;
}

const reasons: readonly (readonly [numbers: readonly number[], reason: string])[] = [
  [[2628, 8152], "text or bytes are too long for their column"],
  [[515], "NULL for a column that is NOT NULL"],
  [[547], "a CHECK or FOREIGN KEY constraint does not hold"],
  [[2601, 2627], "a row with the same unique key is there already"],
  [[220, 232, 244, 248, 8115], "a number is out of its column's range"],
  [[235, 241, 245, 293, 295, 8114, 8169], "a value can't be converted to its column's type"],
  [[242, 296, 517], "a date is out of its column's range"],
  [[8134], "an expression of the table divides by zero"],
  [[511, 1946], "the row, or its key in an index, is larger than SQL Server allows"],
  [[512, 6522], "an expression or a trigger of the table failed on it"],
  [[8672], "it is one of two for the same row of the table"],
  [[13_608, 13_609], "its JSON can't be read"],
  [[33_504], "a security policy blocks it"],
  [[3609, 3616], "a trigger refused it"],
];
const byNumber: ReadonlyMap<number, string> = new Map(
  reasons.flatMap(([numbers, reason]) => numbers.map((number) => [number, reason] as const)),
);

/** Whether the server refused the data, so that other rows may well be written; undefined if that is not why it failed. */
export function refusalOf(error: unknown, names: ReadonlySet<string>): Refusal | undefined {
  for (const number of driverFacts(error).numbers) {
    const reason = reasonOf(number);
    if (reason === undefined) continue;
    const named = namedIn(serverText(error, number), number, names);
    return { number, reason: named === undefined ? reason : `${reason} (${named})` };
  }
  return undefined;
}

function reasonOf(number: number): string | undefined {
  if (number >= 50_000) return "a trigger refused it"; // of RAISERROR and THROW
  if ((number >= 9400 && number < 9500) || (number >= 6900 && number < 7000)) return "its XML can't be read";
  return byNumber.get(number);
}

/** The column, constraint or index that the server names, where it is known to be one: the text has values in it, too. */
function namedIn(text: string, number: number, names: ReadonlySet<string>): string | undefined {
  if (number >= 50_000) return undefined; // what a trigger says may be anything
  const beforeValues = text.split(/Truncated value|duplicate key value/, 1)[0] ?? "";
  const column = [...names].find((name) => beforeValues.includes(`column '${name}'`));
  if (column !== undefined) return `the column "${column}"`;
  const constraint = /constraint ["']([^"']+)["']/.exec(beforeValues)?.[1];
  if (constraint !== undefined && [547, 2627].includes(number)) return `the constraint "${constraint}"`;
  const index = [...names].find((name) => beforeValues.includes(`index '${name}'`));
  return index === undefined ? undefined : `the index "${index}"`;
}

/** What the server said with that number: of the errors that one error of the driver's is made from. */
function serverText(error: unknown, number: number): string {
  const seen = new Set<unknown>();
  const search = (value: unknown): string | undefined => {
    if (typeof value !== "object" || value === null || seen.has(value)) return undefined;
    seen.add(value);
    if ("number" in value && value.number === number && "message" in value) return String(value.message);
    for (const name of ["originalError", "cause", "errors", "precedingErrors"] as const) {
      const inner: unknown = Reflect.get(value, name);
      for (const each of Array.isArray(inner) ? inner : [inner]) {
        const found = search(each);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return search(error) ?? "";
}
