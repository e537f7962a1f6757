/** The contents of a CHECK, as far as they tell which values a column may hold. */
const token = new RegExp(
  [
    String.raw`(?<blank>\s+|--[^\n]*|/\*[^]*?\*/)`,
    String.raw`(?<cast>::\s*(?:(?:"(?:[^"]|"")+"|\w+)\.)*(?:"(?:[^"]|"")+"|\w+)(?:\s+(?!or\b|and\b)\w+)*(?:\s*\([\d\s,]*\))?(?:\s*\[\])*)`,
    String.raw`(?<text>[NE]?'(?:[^']|'')*')`,
    String.raw`(?<name>"(?:[^"]|"")+"|\x60(?:[^\x60]|\x60\x60)+\x60|\[(?!\s*')[\p{L}_](?:[^\]]|\]\])*\])`,
    String.raw`(?<number>[+-]?\d+(?:\.\d+)?)`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`[^]`,
  ].join("|"),
  "giu",
);

interface Token {
  readonly kind: "name" | "value" | "word" | "sign";
  readonly text: string;
  readonly at: number;
}

/**
 * The values that a check allows a column, as texts, where it says nothing else: `CHECK (status IN ('a', 'b'))`, the forms that databases make of
 * it, and each of them beside `status IS NULL OR`. Undefined for any other.
 */
export function checkedChoices(check: string, isColumn: (name: string) => boolean): readonly string[] | undefined {
  const values: string[] = [];
  const signs = tokensOf(check).flatMap(({ kind, text }) => {
    if (text === "(" || text === ")") return []; // the forms below are the same with any
    if (kind === "value") values.push(text);
    if (kind === "value") return ["v"];
    const isName = kind === "name" || (kind === "word" && !words.has(text.toUpperCase()));
    return [isName && isColumn(text) ? "c" : text.toUpperCase()];
  });
  return form.test(signs.join(" ")) ? [...new Set(values)] : undefined;
}

const words: ReadonlySet<string> = new Set(["CHECK", "IN", "IS", "NULL", "OR", "ANY", "ARRAY"]);
const list = "v(?: , v)*";
const oneOf = String.raw`(?:c IN ${list}|c = ANY ARRAY \[ ${list} \]|c = v(?: OR c = v)*)`;
const form = new RegExp(`^(?:CHECK )?(?:c IS NULL OR )?${oneOf}(?: OR c IS NULL)?(?: NO INHERIT)?(?: NOT VALID)?$`);

/** The checks of a CREATE TABLE, each from its word to its closing bracket. */
export function checksIn(createTable: string): readonly string[] {
  const checks: string[] = [];
  let start: number | undefined;
  let depth = 0;
  for (const { kind, text, at } of tokensOf(createTable)) {
    if (start === undefined && kind === "word" && text.toUpperCase() === "CHECK") [start, depth] = [at, 0];
    if (start === undefined) continue;
    if (text === "(") depth += 1;
    if (text !== ")") continue;
    depth -= 1;
    if (depth > 0) continue;
    checks.push(createTable.slice(start, at + 1));
    start = undefined;
  }
  return checks;
}

function tokensOf(sql: string): readonly Token[] {
  return [...sql.matchAll(token)].flatMap(({ 0: all, groups = {}, index: at }): Token[] => {
    if (groups["blank"] !== undefined || groups["cast"] !== undefined) return [];
    if (groups["text"] !== undefined) return [{ kind: "value", text: unquotedText(all), at }];
    if (groups["number"] !== undefined) return [{ kind: "value", text: all, at }];
    if (groups["name"] !== undefined) return [{ kind: "name", text: unquotedName(all), at }];
    return [{ kind: groups["word"] === undefined ? "sign" : "word", text: all, at }];
  });
}

function unquotedText(literal: string): string {
  const text = literal.slice(literal.indexOf("'") + 1, -1).replaceAll("''", "'");
  return /^E/i.test(literal) ? text.replaceAll("\\\\", "\\") : text;
}

function unquotedName(name: string): string {
  const end = name.at(-1) ?? "";
  return name.slice(1, -1).replaceAll(end + end, end);
}
