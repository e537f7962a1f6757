import type { TableNames } from "../table/dialect.ts";

/** The name as SQLite reads it back, whatever is in it. */
export function quoteIdentifier(name: string): string {
  if (name === "" || name.includes("\0")) {
    throw new TypeError("a name in SQL can't be empty or hold a NUL character");
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Names that are equal to SQLite are equal when folded: it ignores the case of A to Z and of no other letter. */
export function foldName(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

const part = /"(?:[^"\0]|"")+"|\[(?:[^\]\0]|\]\])+\]|`(?:[^`\0]|``)+`|[\p{L}\p{M}\p{N}_$#@-]+/uy;

/**
 * The parts of a table's name, unquoted: `visits`, `main.visits`, `"odd name"`, `[odd name]`, `` `odd name` ``.
 * A closing quote within a part is doubled (`[odd]]name]` is `odd]name`). Undefined if the text is no such name.
 */
export function parseTableName(text: string): readonly string[] | undefined {
  const parts: string[] = [];
  for (let index = 0; ; index += 1) {
    part.lastIndex = index;
    const [found] = part.exec(text) ?? [];
    if (found === undefined) return undefined;
    parts.push(unquote(found));
    index += found.length;
    if (index === text.length) return parts;
    if (text[index] !== ".") return undefined;
  }
}

/** The only schema is `main`. */
export const names: TableNames = {
  parse: (text) => {
    const [first, second, ...more] = parseTableName(text) ?? [];
    if (first === undefined || more.length > 0) {
      const expected = `a table's name such as visits, main.visits or "odd name"`;
      return { ok: false, problem: "", facts: { expected, got: JSON.stringify(text) } };
    }
    if (second === undefined) return { ok: true, name: { schema: undefined, table: first } };
    if (foldName(first) === "main") return { ok: true, name: { schema: undefined, table: second } };
    return { ok: false, problem: "", facts: { expected: `no schema but "main"`, got: JSON.stringify(first) } };
  },
  quote: quoteIdentifier,
  quoteTable: ({ table }) => quoteIdentifier(table),
  fold: foldName,
  problemOf: (name) => {
    if (name !== "" && !name.includes("\0") && name.isWellFormed()) return undefined;
    return "a name can't be empty, hold a NUL character or half of a surrogate pair";
  },
};

function unquote(quoted: string): string {
  const open = quoted[0];
  if (open !== '"' && open !== "[" && open !== "`") return quoted;
  const close = open === "[" ? "]" : open;
  return quoted.slice(1, -1).replaceAll(close + close, close);
}
