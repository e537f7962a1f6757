import type { Issue } from "./issues.ts";

/** A shorter line may be a part of an honest text. */
const shortestLine = 25;

/**
 * The texts of an answer that hold a sentence of the re-ask which brought it: small models write "the previous reply did not pass
 * validation" where their reasons should stand, and it would stand in the table.
 */
export function repeatedReAsk(answer: string, reAsk: string): readonly Issue[] {
  const lines = reAsk
    .split("\n")
    .map((line) => folded(line.replace(/^- /, "").replace(/[.:]$/, "")))
    .filter((line) => line.length >= shortestLine);
  return textsIn(parsed(answer), []).flatMap(({ path, text }) => {
    const content = folded(text);
    if (!lines.some((line) => content.includes(line))) return [];
    const sentence = "repeats the request for a corrected reply";
    return [
      {
        code: "repeated-re-ask",
        path: path.join("."),
        message: sentence,
        detail: sentence,
        reAsk: "write about the text, and not about the reply before",
      },
    ];
  });
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    return undefined; // no step of ours takes it
  }
}

function folded(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, " ").trim();
}

function textsIn(
  value: unknown,
  path: readonly string[],
): readonly { readonly path: readonly string[]; readonly text: string }[] {
  if (typeof value === "string") return [{ path, text: value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => textsIn(child, [...path, key]));
}
