import { toJSONValue, writeExactly } from "../json/json.ts";
import { describeType } from "../errors/describe-type.ts";
import { type Fit, fits, mapped, type StagedValue, violation } from "./fit.ts";
import type { Fitted } from "./dialect.ts";

/** Text of at most `length` UTF-16 code units; undefined is no limit. */
export function fitUnicode(type: string, length: number | undefined): Fit {
  return withText(type, (text) => {
    if (length === undefined || text.length <= length) return fits(text);
    const most = `at most ${length} characters`;
    return violation(
      `the column is ${type}: expected ${most}, got ${text.length}`,
      `must have ${most}, not ${text.length}`,
    );
  });
}

/** Text of at most `length` code points; undefined is no limit. */
export function fitCharacters(type: string, length: number | undefined): Fit {
  return withText(type, (text) => {
    const count = length === undefined || text.length <= length ? 0 : Array.from(text).length;
    if (length === undefined || count <= length) return fits(text);
    const most = `at most ${length} characters`;
    return violation(`the column is ${type}: expected ${most}, got ${count}`, `must have ${most}, not ${count}`);
  });
}

/** XML, JSON and the like: what they take is the server's to say. */
export function fitMarkup(type: string): Fit {
  return withText(type, fits);
}

/** Hexadecimal digits with hyphens, in braces or not; staged in upper case. */
export function fitGUID(type: string): Fit {
  return (value) => {
    const text = typeof value === "string" ? value.trim().replace(/^\{(.*)\}$/, "$1") : "";
    if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return fits(text.toUpperCase());
    return violation(
      `the column is ${type}: expected 32 hexadecimal digits as 8-4-4-4-12, got ${describeType(value)}`,
      "must be 32 hexadecimal digits as 8-4-4-4-12",
    );
  };
}

/** An array or an object, or a text of JSON. */
export function fitJSON(declaration: string): Fit {
  const other = fitMarkup(declaration);
  return (value) => {
    if (value instanceof Date) return mapped(other, (text) => JSON.stringify(text))(value);
    if (isPlain(value)) return other(writeExactly(value));
    if (typeof value !== "string") return other(value);
    try {
      JSON.parse(value);
    } catch {
      return violation(
        `the column is ${declaration}: expected an array, an object or text of JSON, got other text`,
        "must be JSON",
      );
    }
    return other(value);
  };
}

/** At most `length` bytes; undefined is no limit. */
export function fitBinary(type: string, length: number | undefined): Fit {
  return (value) => {
    if (!(value instanceof Uint8Array))
      return violation(`the column is ${type}: expected bytes, got ${describeType(value)}`);
    if (length !== undefined && value.byteLength > length) {
      return violation(`the column is ${type}: expected at most ${length} bytes, got ${value.byteLength}`);
    }
    return fits(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  };
}

/** Numbers and booleans as text, dates as ISO 8601, objects and arrays as JSON. */
export function withText(type: string, fit: (text: string) => Fitted<StagedValue>): Fit {
  return (value) => {
    const text = toText(value);
    if (text === undefined)
      return violation(`the column is ${type}: expected text, got ${describe(value)}`, "must be text");
    if (text.isWellFormed()) return fit(text);
    return violation(
      `the column is ${type}: expected text, got ${describeType(value)} with half of a surrogate pair`,
      "must be text without half of a surrogate pair",
    );
  };
}

function toText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.toISOString();
  if (value instanceof Uint8Array || !isPlain(value)) return undefined;
  return JSON.stringify(toJSONValue(value));
}

/** Of others, a Map for one, JSON would make an empty object without a word. */
function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value) || "toJSON" in value) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (typeof value === "number") return String(value);
  return value instanceof Date ? "an invalid date" : describeType(value);
}

/** The cell as text, for a database none of whose texts holds a NUL character, and no JSON in a form of its own its escape. No limit of a schema's says so. */
export function textWithoutNUL(
  fitted: Fitted<StagedValue>,
  declaration: string,
  isParsedJSON: boolean,
): Fitted<string> {
  if (!fitted.ok) return fitted;
  const value = String(fitted.value);
  const isEscaped = isParsedJSON && /(?<!\\)(?:\\\\)*\\u0000/.test(value);
  if (!value.includes("\0") && !isEscaped) return { ok: true, value };
  const problem = `the column is ${declaration}, which holds no NUL character (\\u0000): replace it in the columnMap`;
  return { ok: false, problem, demand: "must be text without NUL characters" };
}
