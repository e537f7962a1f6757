/** Limits for which the strict subset has no keyword stand behind a field's own words, as JSON. */
import type { JSONSchema } from "../json/json-schema.ts";

const limitsMark = "Limits: ";

/** A description with limits behind its own words. */
export function describedWith(words: string, limits: Readonly<Record<string, unknown>>): string {
  return `${words} ${limitsMark}${JSON.stringify(limits)}`.trim();
}

/** The limits that `toStrictSchema` moved into a description. */
export function limitsIn(description = ""): Readonly<Record<string, unknown>> {
  const start = description.lastIndexOf(limitsMark);
  if (start === -1) return {};
  try {
    const limits: unknown = JSON.parse(description.slice(start + limitsMark.length));
    return typeof limits === "object" && limits !== null ? { ...limits } : {};
  } catch {
    return {}; // a sentence of the user's own with that word in it
  }
}

/** A description without its limits. */
export function ownWordsOf(description = ""): string {
  const hasLimits = Object.keys(limitsIn(description)).length > 0;
  return (hasLimits ? description.slice(0, description.lastIndexOf(limitsMark)) : description).trim();
}

/** Adds limits to those in a field's description. Of two limits of one kind the tighter one stays. */
export function withLimits(schema: JSONSchema, limits: Readonly<Record<string, number>>): JSONSchema {
  const { description } = schema;
  const before = limitsIn(description);
  const all = { ...before };
  for (const [keyword, limit] of Object.entries(limits)) {
    const known = before[keyword];
    const tighter = keyword === "minimum" ? Math.max : Math.min;
    all[keyword] = typeof known === "number" ? tighter(known, limit) : limit;
  }
  return { ...schema, description: describedWith(ownWordsOf(description), all) };
}
