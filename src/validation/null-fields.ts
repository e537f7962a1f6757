import type { Issue } from "./issues.ts";

/** An answer with null in some of its fields. */
export interface WithNulls {
  readonly value: Readonly<Record<string, unknown>>;
  /** The names of these fields. */
  readonly fields: readonly string[];
}

/** The answer with null at each path that an issue has; undefined where one has none, or leads nowhere. */
export function withNullsAt(answer: unknown, issues: readonly Issue[]): WithNulls | undefined {
  const value: unknown = structuredClone(answer);
  const names = issues.map(({ path }) => path.split("."));
  if (!isObject(value) || !names.every((path) => putNull(value, path))) return undefined;
  const fields = names.map((path) => path.filter((name) => !/^\d+$/.test(name)).join("."));
  return { value, fields: [...new Set(fields)] };
}

/** False where the path leads to no field. */
function putNull(value: unknown, [name = "", ...rest]: readonly string[]): boolean {
  if (Array.isArray(value)) return rest.length > 0 && putNull(value[Number(name)], rest);
  if (!isObject(value) || !Object.hasOwn(value, name)) return false;
  if (rest.length > 0) return putNull(value[name], rest);
  value[name] = null;
  return true;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The answer with null in each field that an issue is about; undefined where it is no object, or an issue is about no field of it. */
export function withNulls(answer: unknown, issues: readonly Issue[]): WithNulls | undefined {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return undefined;
  const fields = [...new Set(issues.map(({ path }) => path.split(".", 1)[0] ?? ""))];
  if (fields.includes("")) return undefined;
  return { value: { ...answer, ...Object.fromEntries(fields.map((field) => [field, null])) }, fields };
}
