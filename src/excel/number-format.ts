/** The meaning of a number by its format: a `duration` may have more than 24 hours. */
export type NumberMeaning = "number" | "date" | "time" | "duration";

/** Formats without a code of their own, by their number; those that differ by language are dates. */
const builtIn: readonly (readonly [first: number, last: number, meaning: NumberMeaning])[] = [
  [14, 17, "date"],
  [18, 21, "time"],
  [22, 22, "date"],
  [27, 31, "date"],
  [32, 33, "time"],
  [34, 36, "date"],
  [45, 45, "time"],
  [46, 46, "duration"],
  [47, 47, "time"],
  [50, 58, "date"],
];

/** Texts, signs that stand for themselves, blanks and fillers, in a format's code. */
const literals = /"[^"]*"?|[\\_*][^]?/g;
/** Colours, conditions and languages, but not `[h]`, `[mm]`, `[ss]`. */
const brackets = /\[(?!(?:h+|m+|s+)\])[^\]]*\]?/gi;

/** The meaning of a format that a workbook does not define. */
export function meaningOfBuiltIn(id: number): NumberMeaning {
  return builtIn.find(([first, last]) => id >= first && id <= last)?.[2] ?? "number";
}

/** The meaning of a format by its code: that of its first section. */
export function meaningOfCode(code: string): NumberMeaning {
  const [section = ""] = code.replaceAll(literals, "").replaceAll(brackets, "").split(";");
  if (/\[(?:h+|m+|s+)\]/i.test(section)) return "duration";
  const hasHalfDay = /am\/pm|a\/p/i.test(section);
  const signs = section.replaceAll(/general|am\/pm|a\/p|e[+-]/gi, "");
  if (/[ydegb]/i.test(signs)) return "date";
  if (hasHalfDay || /[hs]/i.test(signs)) return "time";
  return /m/i.test(signs) ? "date" : "number";
}
