/** The contents of a text of SQL, as far as they show without knowing the grammar. */
export interface StatementScan {
  /** Statements that are more than comments and blanks. */
  readonly count: number;
  /** The named parameters with their `@`, `:` or `$`, each once, in order. */
  readonly parameters: readonly string[];
  /** There is a `?` or `?1`. */
  readonly hasPositional: boolean;
}

// A quote that is never closed runs to the end of the text, and is left for SQLite to report.
const token = new RegExp(
  [
    String.raw`(?<blank>[ \t\n\f\r]+|--[^\n]*|/\*[^]*?(?:\*/|$))`,
    String.raw`(?<quoted>'[^']*(?:''[^']*)*'?|"[^"]*(?:""[^"]*)*"?|${"`[^`]*(?:``[^`]*)*`?"}|\[[^\]]*\]?)`,
    String.raw`(?<word>[A-Za-z0-9_\u0080-\u{10ffff}][\w$\u0080-\u{10ffff}]*)`,
    String.raw`(?<parameter>[@:$](?:[\w$\u0080-\u{10ffff}]|::)+(?:\([^)\s]*\))?)`,
    String.raw`(?<positional>\?\d*)`,
    String.raw`(?<end>;)`,
    String.raw`[^]`,
  ].join("|"),
  "gu",
);

/** Counts statements and finds parameters, with quotes and comments understood. */
export function scanStatement(sql: string): StatementScan {
  const { end: _, ...found } = scan(sql);
  return found;
}

function scan(sql: string): StatementScan & { readonly end: number } {
  const parameters = new Set<string>();
  let count = 0;
  let hasPositional = false;
  let isInside = false;
  let end: number | undefined;
  for (const { groups = {}, index } of sql.matchAll(token)) {
    if (groups["blank"] !== undefined) continue;
    if (groups["end"] !== undefined) {
      if (isInside) end ??= index;
      isInside = false;
      continue;
    }
    if (!isInside) count += 1;
    isInside = true;
    if (groups["parameter"] !== undefined) parameters.add(groups["parameter"]);
    if (groups["positional"] !== undefined) hasPositional = true;
  }
  return { count, parameters: [...parameters], hasPositional, end: end ?? sql.length };
}

/** A statement as it can stand in another: without semicolons around it, and without the comments behind the last one. */
export function statementText(sql: string): string {
  return sql.slice(0, scan(sql).end).replace(/^[\s;]+/, "");
}
