import type { Issue } from "./issues.ts";

/** An answer with null in some of its fields. */
export interface WithNulls {
  readonly value: Readonly<Record<string, unknown>>;
  /** The names of these fields. */
  readonly fields: readonly string[];
}

/** The answer with null in each field that an issue is about; undefined where it is no object, or an issue is about no field of it. */
export function withNulls(answer: unknown, issues: readonly Issue[]): WithNulls | undefined {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return undefined;
  const fields = [...new Set(issues.map(({ path }) => path.split(".", 1)[0] ?? ""))];
  if (fields.includes("")) return undefined;
  return { value: { ...answer, ...Object.fromEntries(fields.map((field) => [field, null])) }, fields };
}
