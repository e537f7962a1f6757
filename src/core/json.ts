/** How the values that JSON lacks are written: for reading by people, or so that a replay gets them back. */
export interface JSONEncoding {
  readonly date: (value: Date) => unknown;
  readonly bytes: (value: Uint8Array) => unknown;
  readonly bigint: (value: bigint) => unknown;
}

const plain: JSONEncoding = {
  date: (value) => (Number.isNaN(value.getTime()) ? null : value.toISOString()),
  bytes: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"),
  bigint: String,
};

/**
 * A copy that `JSON.stringify` takes whatever the value holds: dates, bytes and bigints as `encoding` says, an object
 * with a `toJSON` of its class as that says, functions and undefined left out, a cycle replaced by null.
 */
export function toJSONValue(value: unknown, encoding: JSONEncoding = plain): unknown {
  return convert(value, encoding, []);
}

function convert(value: unknown, encoding: JSONEncoding, above: readonly object[]): unknown {
  if (typeof value === "bigint") return encoding.bigint(value);
  if (typeof value === "function") return undefined; // one named toJSON would be called
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return encoding.date(value);
  if (value instanceof Uint8Array) return encoding.bytes(value);
  if (above.includes(value)) return null;
  const path = [...above, value];
  if (!Object.hasOwn(value, "toJSON") && "toJSON" in value && typeof value.toJSON === "function") {
    return convert(value.toJSON(), encoding, path);
  }
  if (Array.isArray(value)) return value.map((item) => convert(item, encoding, path));
  const entries = Object.entries(value).map(([key, item]) => [key, convert(item, encoding, path)]);
  return Object.fromEntries(entries);
}
