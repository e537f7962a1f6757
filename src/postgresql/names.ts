import type { TableNames } from "../table/dialect.ts";

/** In bytes of UTF-8: the server cuts off the rest. */
const longestName = 63;

/** The name as the server reads it back, whatever is in it. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Without quotes A to Z are a to z to the server. */
export function foldName(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

const part = /^(?:"((?:[^"\0]|"")+)"|([\p{L}_][\p{L}\p{M}\p{N}_$]*))(?:\.|$)/u;

export const names: TableNames = {
  parse: (text) => {
    const parts: string[] = [];
    let rest = text.trim();
    for (let found = part.exec(rest); found !== null; found = part.exec(rest)) {
      const [all, quoted, plain = ""] = found;
      parts.push(quoted === undefined ? foldName(plain) : quoted.replaceAll('""', '"'));
      rest = rest.slice(all.length);
      if (!all.endsWith(".")) break;
    }
    const [table, schema, ...more] = parts.toReversed();
    if (table === undefined || rest !== "" || more.length > 0 || text.trim().endsWith(".")) {
      const expected = `a table's name such as visits, clinic.visits or "Odd name", with its schema or without`;
      return { ok: false, problem: "", facts: { expected, hint: "the connection names the database" } };
    }
    const problem = parts.map(names.problemOf).find((each) => each !== undefined);
    return problem === undefined ? { ok: true, name: { schema, table } } : { ok: false, problem };
  },
  quote: quoteIdentifier,
  quoteMade: (name) => {
    let cut = name;
    while (Buffer.byteLength(cut) > longestName) cut = Array.from(cut).slice(0, -1).join("");
    return quoteIdentifier(cut);
  },
  quoteTable: ({ schema, table }) => [schema ?? [], table].flat().map(quoteIdentifier).join("."),
  fold: (name) => name,
  problemOf: (name) => {
    if (name === "" || name.includes("\0") || !name.isWellFormed()) {
      return "a name can't be empty, hold a NUL character or half of a surrogate pair";
    }
    const length = Buffer.byteLength(name);
    return length > longestName ? `a name has at most ${longestName} bytes, this one has ${length}` : undefined;
  },
};
