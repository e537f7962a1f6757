/** A text of SQL by its tokens, as far as it can be known without the grammar. */
export interface SQLScan {
  /** Statements that are more than comments and blanks, where semicolons part them. */
  readonly count: number;
  /** The variables without their `@`, each once, in order; not those of the server (`@@ROWCOUNT`). */
  readonly variables: readonly string[];
  /** Each place of a variable. */
  readonly variablePlaces: readonly { readonly name: string; readonly at: number }[];
  /** The words outside of quotes and comments, in upper case, each once, in order. */
  readonly words: readonly string[];
  /** The words of the first statement that are outside of parentheses, too, each with its place. */
  readonly outerWords: readonly { readonly word: string; readonly at: number }[];
  /** The place of the first statement's end: of its semicolon, or of the text's end. */
  readonly end: number;
}

/** The tokens of one kind of SQL. */
export interface SQLTokens {
  /**
   * Matches at one place (`y`), always. Its groups: `blank`, `comment` (the opening `/*` alone: these nest), `quoted`, `word`, `variable` (with its
   * `@`), `number`, `end` (a semicolon).
   */
  readonly pattern: RegExp;
  /** True for a word that is no SQL: it is passed over. @default none is */
  readonly isPassedOver?: ((start: number, end: number) => boolean) | undefined;
}

export function scanSQL(sql: string, { pattern, isPassedOver }: SQLTokens): SQLScan {
  const variablePlaces: { name: string; at: number }[] = [];
  const words = new Set<string>();
  const outerWords: { word: string; at: number }[] = [];
  let depth = 0;
  let end: number | undefined;
  let count = 0;
  let isInside = false;
  let at = 0;
  while (at < sql.length) {
    pattern.lastIndex = at;
    const { 0: text, groups = {} } = pattern.exec(sql) ?? { 0: sql.slice(at) };
    const start = at;
    at += text.length;
    if (groups["blank"] !== undefined) continue;
    if (groups["comment"] !== undefined) {
      at = endOfComment(sql, start);
      continue;
    }
    if (groups["end"] !== undefined) {
      if (isInside) end ??= start;
      isInside = false;
      continue;
    }
    if (groups["word"] !== undefined && isPassedOver?.(start, at) === true) continue;
    if (!isInside) count += 1;
    isInside = true;
    if (text === "(") depth += 1;
    if (text === ")") depth -= 1;
    if (groups["word"] !== undefined) {
      const word = text.toUpperCase();
      words.add(word);
      if (depth === 0 && end === undefined) outerWords.push({ word, at: start });
    }
    if (groups["variable"] !== undefined && !text.startsWith("@@"))
      variablePlaces.push({ name: text.slice(1), at: start });
  }
  const variables = [...new Set(variablePlaces.map(({ name }) => name))];
  return { count, variables, variablePlaces, words: [...words], outerWords, end: end ?? sql.length };
}

/** Comments of this kind nest. */
function endOfComment(sql: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let match = mark.exec(sql); match !== null; match = mark.exec(sql)) {
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return sql.length;
}
