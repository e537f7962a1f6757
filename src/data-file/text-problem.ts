/** The reason that a UTF-8 text file can't hold a value, without its content; undefined if it can. */
export function textProblem(value: unknown): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") return `is a ${typeof value}, which has no text`;
  if (value instanceof Date && Number.isNaN(value.getTime())) return "is an invalid date";
  if (typeof value === "string" && !value.isWellFormed()) return "has half of a surrogate pair, which UTF-8 can't hold";
  if (typeof value === "number" && !Number.isFinite(value)) return `is ${value}, which is no number to read back`;
  if (typeof value !== "object" || value === null || !textless.some((kind) => value instanceof kind)) return undefined;
  return `is of the class ${value.constructor.name}, which has no text`;
}

/** JSON would silently make an empty object of these. */
const textless = [Map, Set, WeakMap, WeakSet, Error, RegExp, Promise, ArrayBuffer] as const;
