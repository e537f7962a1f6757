import { SQLError, syntaxError } from "./sql-error.ts";

export interface Token {
  /** `name` is a quoted identifier: never a keyword. `variable` starts with @. */
  readonly kind: "word" | "name" | "string" | "number" | "binary" | "variable" | "symbol" | "end";
  /** Without quotes, doubled quotes undone. */
  readonly text: string;
  readonly unicode: boolean;
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

const word = /[\p{L}_#$][\p{L}\p{N}_@#$]*/uy;
const number = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/uy;
const variable = /@@?[\p{L}\p{N}_@#$]*/uy;
const symbol = /<>|!=|<=|>=|\+=|::|[-+*/%=<>(),.;]/uy;
const binary = /0[xX][0-9a-fA-F]*/uy;

/** The tokens of a batch, comments left out. */
export function tokenize(sql: string, quotedIdentifier: boolean): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  const push = (kind: Token["kind"], text: string, end: number, unicode = false) => {
    tokens.push({ kind, text, unicode, line, start: at, end });
    line += sql.slice(at, end).split("\n").length - 1;
    at = end;
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  while (at < sql.length) {
    const character = sql[at] ?? "";
    const next = sql[at + 1] ?? "";
    if (/\s/u.test(character)) {
      if (character === "\n") line += 1;
      at += 1;
    } else if (character === "-" && next === "-") {
      const end = sql.indexOf("\n", at);
      at = end === -1 ? sql.length : end;
    } else if (character === "/" && next === "*") {
      const end = endOfComment(sql, at, line);
      line += sql.slice(at, end).split("\n").length - 1;
      at = end;
    } else if (character === "'") {
      const [text, end] = quoted(sql, at, "'", line);
      push("string", text, end);
    } else if ((character === "N" || character === "n") && next === "'") {
      const [text, end] = quoted(sql, at + 1, "'", line);
      push("string", text, end, true);
    } else if (character === "[") {
      const [text, end] = quoted(sql, at, "]", line);
      push("name", text, end);
    } else if (character === '"') {
      const [text, end] = quoted(sql, at, '"', line);
      push(quotedIdentifier ? "name" : "string", text, end);
    } else {
      const found = read(match);
      if (found === undefined) throw syntaxError(character, line);
      push(found[0], found[1], at + found[1].length);
    }
  }
  push("end", "", sql.length);
  return tokens;
}

function read(match: (pattern: RegExp) => string | undefined): [Token["kind"], string] | undefined {
  const kinds: readonly (readonly [Token["kind"], RegExp])[] = [
    ["word", word],
    ["variable", variable],
    ["binary", binary],
    ["number", number],
    ["symbol", symbol],
  ];
  for (const [kind, pattern] of kinds) {
    const text = match(pattern);
    if (text !== undefined) return [kind, text];
  }
  return undefined;
}

/** The text between the quotes and the position after them; the closing quote is doubled inside. */
function quoted(sql: string, start: number, close: string, line: number): [string, number] {
  let text = "";
  let at = start + 1;
  for (;;) {
    const end = sql.indexOf(close, at);
    if (end === -1) {
      throw new SQLError(105, "Unclosed quotation mark after the character string.", { line });
    }
    text += sql.slice(at, end);
    if (sql[end + 1] !== close) return [text, end + 1];
    text += close;
    at = end + 2;
  }
}

/** Comments nest. */
function endOfComment(sql: string, start: number, line: number): number {
  let depth = 0;
  for (let at = start; at < sql.length; at += 1) {
    const pair = sql.slice(at, at + 2);
    if (pair === "/*") depth += 1;
    if (pair === "*/") depth -= 1;
    if (pair === "/*" || pair === "*/") at += 1;
    if (depth === 0) return at + 1;
  }
  throw new SQLError(113, "Missing end comment mark '*/'.", { line });
}
