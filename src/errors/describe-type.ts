/** Names the kind and the length of a value, and not its content: for messages that may reach a terminal. */
export function describeType(value: unknown): string {
  if (value === null) return "NULL";
  if (value === undefined) return "nothing";
  if (typeof value === "string") return `a text of ${value.length} characters`;
  if (value instanceof Date) return "a date";
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
