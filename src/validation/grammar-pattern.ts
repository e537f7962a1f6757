/** More repetitions than these make a grammar that servers reject (llama.cpp: 2,000) or that takes them long. */
export const mostRepetitions = 1000;

/** Classes of JavaScript that grammars do not know, as sets of characters: a part of what they match is enough. */
const classes: Readonly<Record<string, string>> = { d: "0-9", w: "A-Za-z0-9_", s: " " };

/**
 * A pattern of JavaScript in the part of regular expressions that servers turn into grammars; undefined where it has no such form. The
 * texts that it matches are among those of the pattern, so that an answer within the grammar is valid.
 */
export function grammarPattern(pattern: string): string | undefined {
  if (!/^\^[^]*\$$/.test(pattern) || pattern.endsWith("\\$")) return undefined; // a part of the text may match
  let rest = pattern.slice(1, -1);
  let grammar = "";
  let depth = 0;
  while (rest !== "") {
    const [token = ""] = tokens.exec(rest) ?? [];
    if (token === "" || (token === "|" && depth === 0)) return undefined; // `^a|b$` is two patterns, each with one end
    if (token.startsWith("(")) depth += 1;
    if (token === ")") depth -= 1;
    const written = writtenAs(token);
    if (written === undefined) return undefined;
    grammar += written;
    rest = rest.slice(token.length);
  }
  return depth === 0 ? `^${grammar}$` : undefined;
}

/** One part of a pattern: a set, a group's beginning, an escape, a quantifier with its laziness, or one character. */
const tokens =
  /^(?:\[(?:\\[^]|[^\\\]])*\]|\((?:\?:)?(?!\?)|\\[^]|(?:[*+?]|\{\d+(?:,\d*)?\})\??|[^()[\]{}*+?\\^$])|^[)|]/;

function writtenAs(token: string): string | undefined {
  if (token.startsWith("[")) return setAs(token);
  if (token === "(?:") return "(";
  if (token.startsWith("\\")) {
    const [, letter = ""] = token;
    const set = classes[letter];
    if (set !== undefined) return `[${set}]`;
    return /[A-Za-z0-9]/.test(letter) ? undefined : token; // an escape with a meaning of its own
  }
  const [, most] = /^\{(?:\d+,)?(\d+),?\}/.exec(token) ?? [];
  if (most !== undefined && Number(most) > mostRepetitions) return undefined;
  return /^[*+?}{]/.test(token) && token.length > 1 ? token.replace(/\?$/, "") : token;
}

function setAs(token: string): string | undefined {
  const body = token.slice(1, -1);
  if (/\\(?![dws\W])/.test(body) || (body.startsWith("^") && /\\[dws]/.test(body))) return undefined;
  return `[${body.replaceAll(/\\([dws])/g, (_, letter: string) => classes[letter] ?? "")}]`;
}
