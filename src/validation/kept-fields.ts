import type { JSONSchema } from "../json/json-schema.ts";
import type { Issue } from "./issues.ts";

/** A field that a re-ask never names alone: what a model says of a category goes with its reasons and its confidence. */
const usuallyNotAlone = "category";

/**
 * The one field that all issues are about, whose value a re-ask may change without the others; undefined where there is none. Small models
 * change what they were not asked about, and so a good category for a worse one.
 */
export function soleField(
  issues: readonly Issue[],
  { properties = {} }: JSONSchema,
  neverAlone: string = usuallyNotAlone,
): string | undefined {
  const [first = "", ...others] = new Set(issues.map(({ path }) => path.split(".", 1)[0] ?? ""));
  return others.length === 0 && first !== neverAlone && Object.hasOwn(properties, first) ? first : undefined;
}

/** The earlier answer with that field of the later one; the later one where the two can't be put together. */
export function withField(earlier: string, later: string, field: string): string {
  const [before, after] = [objectIn(earlier), objectIn(later)];
  if (before === undefined || after === undefined || !Object.hasOwn(after, field)) return later;
  return JSON.stringify({ ...before, [field]: after[field] });
}

function objectIn(answer: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(answer);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
