/** Writes the values that JSON lacks: for people to read, or for a replay to read back. */
export interface JSONEncoding {
  readonly date: (value: Date) => unknown;
  readonly bytes: (value: Uint8Array) => unknown;
  readonly bigint: (value: bigint) => unknown;
  /** For NaN and the infinities. */
  readonly number: (value: number) => unknown;
}

const plain: JSONEncoding = {
  date: (value) => (Number.isNaN(value.getTime()) ? null : value.toISOString()),
  bytes: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"),
  bigint: String,
  number: (value) => value,
};

const rawJSON = Reflect.get(JSON, "rawJSON") as (text: string) => unknown; // of ECMAScript 2026; Node has it since 21

const exact: JSONEncoding = { ...plain, bigint: (value) => rawJSON(String(value)) };

/** The text of an object or an array in which a bigint is a number with all its digits, as {@link parseExactly} reads it. */
export function writeExactly(value: object): string {
  return JSON.stringify(toJSONValue(value, exact));
}

/** The encoding from which {@link fromReversible} gives each value back: no two are written alike. */
export const reversible: JSONEncoding = {
  date: (value) => ({ $date: plain.date(value) }),
  bytes: (value) => ({ $bytes: plain.bytes(value) }),
  bigint: (value) => ({ $bigint: String(value) }),
  number: (value) => ({ $number: String(value) }),
};

/**
 * Makes a copy that `JSON.stringify` accepts, whatever the value holds. `encoding` writes dates, bytes, bigints and numbers
 * that JSON lacks, and a `toJSON` of its class an object. Functions and undefined are left out; a cycle becomes null.
 */
export function toJSONValue(value: unknown, encoding: JSONEncoding = plain): unknown {
  return convert(value, encoding, []);
}

function convert(value: unknown, encoding: JSONEncoding, above: readonly object[]): unknown {
  if (typeof value === "bigint") return encoding.bigint(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : encoding.number(value);
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

/**
 * Gives back the values that {@link reversible} wrote, from the parsed JSON: dates, bytes (as a Buffer), bigints and numbers
 * at any depth. An object of the row's own with one such key, `{ $date: "…" }` say, looks the same and is converted, too.
 */
export function fromReversible(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fromReversible(item));
  const entries: [string, unknown][] = Object.entries(value);
  const [first] = entries;
  const decoded = entries.length === 1 && first !== undefined ? decode(...first) : undefined;
  return decoded ?? Object.fromEntries(entries.map(([key, item]) => [key, fromReversible(item)]));
}

/** Undefined if {@link reversible} writes no value so. */
function decode(key: string, content: unknown): unknown {
  if (key === "$date" && content === null) return new Date(Number.NaN);
  if (typeof content !== "string") return undefined;
  if (key === "$date") {
    const date = new Date(content);
    return plain.date(date) === content ? date : undefined;
  }
  if (key === "$bytes") {
    const bytes = Buffer.from(content, "base64");
    return bytes.toString("base64") === content ? bytes : undefined;
  }
  if (key === "$bigint") return /^-?\d+$/.test(content) ? BigInt(content) : undefined;
  return key === "$number" && ["NaN", "Infinity", "-Infinity"].includes(content) ? Number(content) : undefined;
}

/**
 * Parses JSON without loss: a number that JavaScript's numbers do not hold is a bigint where it is whole, else its text.
 *
 * @throws {SyntaxError} for what is no JSON
 */
export function parseExactly(text: string): unknown {
  const mayLose = /\d[\d.]{15}|\d[eE]/.test(text);
  return mayLose ? JSON.parse(text, exactNumber) : JSON.parse(text);
}

/** Older types know no third argument: the number as it was written. */
function exactNumber(_name: string, value: unknown, { source }: { readonly source?: string } = {}): unknown {
  if (typeof value !== "number" || source === undefined) return value;
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
  return canonicalNumber(String(value)) === canonicalNumber(source) ? value : source;
}

/** The same text for each spelling of one number: its digits without zeros around them, and the power of ten of the last. */
export function canonicalNumber(number: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d*)(?:\.(\d*))?(?:e\+?(-?\d+))?$/i.exec(number) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return significant === "" ? "0" : `${sign}${significant}e${power}`;
}
