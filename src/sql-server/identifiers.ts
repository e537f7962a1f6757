import type { OptionCheck } from "../errors/options.ts";
import type { ParsedName, TableName, TableNames } from "../table/dialect.ts";

/** The longest name that SQL Server takes, in UTF-16 code units. */
export const longestIdentifier = 128;

/**
 * The name as SQL Server reads it back, whatever is in it. Names are not folded: which are equal is the database's
 * collation's matter.
 *
 * @throws {TypeError} for a name that no object can have; the message does not hold it
 */
export function quoteIdentifier(name: string): string {
  const problem = identifierProblem(name);
  if (problem !== undefined) throw new TypeError(`a name in SQL ${problem}`);
  return `[${name.replaceAll("]", "]]")}]`;
}

/** The check of an option with the name of a schema or another object. */
export const isIdentifier: OptionCheck = {
  expected: `a name of 1 to ${longestIdentifier} characters`,
  fits: (value) => typeof value === "string" && value.trim() !== "" && identifierProblem(value) === undefined,
  required: true,
};

/** Why no object can have this name, if so; it completes "a name …". */
export function identifierProblem(name: string): string | undefined {
  if (name === "") return "can't be empty";
  if (name.length > longestIdentifier)
    return `has at most ${longestIdentifier} characters, this one has ${name.length}`;
  if (name.includes("\0")) return "can't hold a NUL character";
  if (!name.isWellFormed()) return "can't hold half of a surrogate pair";
  return undefined;
}

const part = /\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*"|[\p{L}_#][\p{L}\p{M}\p{N}_$#@]*/uy;

/** `t`, `dbo.t`, `[my schema].[odd]]name]`, `"my schema"."odd ""name"`: a closing quote within a part is doubled. The schema is dbo if none is named. */
export function parseTableName(text: string): ParsedName {
  const parts = splitName(text);
  if (parts === undefined) {
    const expected =
      "a table's name: t, dbo.t or [my schema].[odd]]name], with a name of other signs than letters, digits and _ $ # @ in brackets";
    return { ok: false, problem: "", facts: { expected } };
  }
  if (parts.length > 2) {
    const facts = {
      expected: "a table's name, with its schema or without",
      got: `one with ${parts.length === 3 ? "the name of a database" : `${parts.length} parts`}`,
      hint: "name the database in the connection string (Database=…)",
    };
    return { ok: false, problem: "", facts };
  }
  const [schema = "dbo", table = ""] = parts.length === 2 ? parts : [undefined, ...parts];
  const problem = parts.map(names.problemOf).find((each) => each !== undefined);
  return problem === undefined ? { ok: true, name: { schema, table } } : { ok: false, problem };
}

/** Equal columns are a matter of the database's collation, which no name shows: none are folded. */
export const names: TableNames = {
  parse: parseTableName,
  quote: quoteIdentifier,
  quoteMade: (name) => quoteIdentifier(shortened(name)),
  quoteTable: quoteTableName,
  fold: (name) => name,
  problemOf: (name) => {
    const problem = identifierProblem(name);
    return problem === undefined ? undefined : `a name ${problem}`;
  },
};

/** A name that was made of others may be too long. */
function shortened(name: string): string {
  if (name.length <= longestIdentifier) return name;
  const cut = name.slice(0, longestIdentifier);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

/** The name for a statement. */
export function quoteTableName({ schema, table }: TableName): string {
  return schema === undefined ? quoteIdentifier(table) : `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}

/** Schema and table in lower case, the same for each spelling of a name, and another for each other name. */
export function tableIdentity({ schema = "dbo", table }: TableName): string {
  const parts = [schema, table].map((name) => (/^[\p{L}\p{N}_]+$/u.test(name) ? name : quoteIdentifier(name)));
  return parts.join(".").toLowerCase();
}

/** Undefined if the text is no name. The parts between two dots may be blank, as in `database..t`. */
function splitName(text: string): readonly string[] | undefined {
  const trimmed = text.trim();
  const parts: string[] = [];
  for (let index = 0; ; index += 1) {
    part.lastIndex = index;
    const [found] = part.exec(trimmed) ?? [];
    const skipped = found === undefined && trimmed[index] === "." && parts.length > 0;
    if (found === undefined && !skipped) return undefined;
    parts.push(unquote(found ?? ""));
    index += found?.length ?? 0;
    if (index === trimmed.length) return parts;
    if (trimmed[index] !== ".") return undefined;
  }
}

function unquote(quoted: string): string {
  if (quoted.startsWith("[")) return quoted.slice(1, -1).replaceAll("]]", "]");
  if (quoted.startsWith('"')) return quoted.slice(1, -1).replaceAll('""', '"');
  return quoted;
}
