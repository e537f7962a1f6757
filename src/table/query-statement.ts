import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { scanSQL, type SQLTokens } from "./scan-sql.ts";

export interface Query {
  /** Without its semicolon, and with `$1` in place of the first name. */
  readonly text: string;
  /** The names of its parameters, without `@`, in the order of their numbers. */
  readonly parameters: readonly string[];
  /** It may be a part of another query, once for each page of its rows: it neither orders nor bounds nor groups them itself. */
  readonly isPlain: boolean;
}

/** With one of these each page would make the whole result anew, or another one. */
const ofWhole = "ORDER LIMIT OFFSET FETCH FOR GROUP HAVING DISTINCT UNION INTERSECT EXCEPT OVER".split(" ");

/** A text that is to be one query. */
export interface QuerySource {
  readonly sql: string;
  /** Its name in messages: `the sql`. */
  readonly where: string;
  readonly fail: (problem: string, options: ErrorOptions) => Error;
}

/**
 * The one query that a text is, with numbers in place of the names of its parameters.
 *
 * @throws the error of `fail` for a text that is empty, holds several statements, one that is not a query, or parameters without a name
 */
export function parseNamedQuery({ sql, where, fail }: QuerySource, tokens: SQLTokens): Query {
  const { count, variables, variablePlaces, words, outerWords, end } = scanSQL(sql, tokens);
  const wrong = (problem: string, facts: object): Error => fail(`${where} ${problem}`, { facts: { where, ...facts } });
  if (sql.includes("\0") || !sql.isWellFormed()) {
    throw wrong("holds a NUL character or half of a surrogate pair", { hint: "save it as UTF-8, without it" });
  }
  if (count !== 1)
    throw wrong(count === 0 ? "is empty" : "holds several statements", { expected: "one query", got: count });
  const [first = ""] = words;
  if (!["SELECT", "WITH", "VALUES", "TABLE"].includes(first)) {
    throw wrong(`begins with ${first}`, { word: first, expected: "a query: SELECT …, or WITH … SELECT …" });
  }
  if (variables.some((name) => /^\d/.test(name))) {
    throw wrong("has a positional parameter ($1)", { hint: "name it, as in @name" });
  }
  let text = "";
  let from = 0;
  for (const { name, at } of variablePlaces) {
    text += `${sql.slice(from, at)}$${variables.indexOf(name) + 1}`;
    from = at + name.length + 1;
  }
  const outer = outerWords
    .map(({ word }) => word)
    .join(" ")
    .replaceAll(/\bIS (?:NOT )?DISTINCT FROM\b/g, "=")
    .split(" ");
  const isPlain = outer[0] === "SELECT" && !outer.some((word) => ofWhole.includes(word));
  return { text: (text + sql.slice(from, Math.max(from, end))).replace(/^[\s;]+/, ""), parameters: variables, isPlain };
}

/** A query with the values of its parameters. */
export interface Bound extends Pick<Query, "text" | "isPlain"> {
  readonly values: readonly (string | Buffer | null)[];
}

/** The query as a part of another one, and the values of what that adds: its first parameter is `$${query.values.length + 1}`. */
export function wrapped(query: Bound, rest: string, { what = "*", values = [] }: Wrapping = {}): Bound {
  return {
    ...query,
    text: `SELECT ${what} FROM (\n${query.text}\n) AS llm_etl_rows ${rest}`,
    values: [...query.values, ...values],
  };
}

/** A column of the query within the other one. @param quoted its name */
export function inWrapped(quoted: string): string {
  return `llm_etl_rows.${quoted}`;
}

/** The statement that opens a cursor over the query, `llm_etl_rows_` and its number. */
export function declared(number: number, { text }: Pick<Query, "text">): string {
  return `DECLARE llm_etl_rows_${number} NO SCROLL CURSOR FOR\n${text}`;
}

interface Wrapping {
  readonly what?: string;
  readonly values?: Bound["values"];
}
