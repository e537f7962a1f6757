import { toJSONValue } from "../../json/json.ts";
import { describeType } from "../../errors/describe-type.ts";
import { codePage } from "./code-page.ts";
import { type Fit, fits, type StagedValue, violation } from "./fit.ts";
import type { Fitted } from "../../table/dialect.ts";

/** NCHAR and NVARCHAR of at most `length` UTF-16 code units; undefined is MAX. */
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

/**
 * CHAR and VARCHAR of at most `length` bytes (undefined is MAX) in the code page of the column's collation. Text that the code page
 * lacks is rejected; of a code page that is not known here the server is asked, at the write.
 */
export function fitCodePage(type: string, length: number | undefined, pageNumber: number): Fit {
  const page = codePage(pageNumber);
  return withText(type, (text) => {
    const bytes = page === undefined ? Array.from(text).length : page.bytesOf(text); // one byte a character, or more
    if (bytes === undefined) {
      const advice = "make the column NVARCHAR, or replace them in the columnMap";
      return violation(
        `the column is ${type} of code page ${pageNumber}, which lacks characters of the text; ${advice}`,
        `must be written without ${lacking(text, page)}`,
      );
    }
    if (length === undefined || bytes <= length) return fits(text);
    const unit = page === undefined || bytes === text.length ? "characters" : "bytes";
    const most = `at most ${length} ${unit}`;
    return violation(
      `the column is ${type}: expected at most ${length} bytes, got ${bytes} ${unit}`,
      `must have ${most}, not ${bytes}${unit === "bytes" ? ", of which some characters take two or more" : ""}`,
    );
  });
}

const mostNamedCharacters = 10;

/** The characters that a code page lacks, for a model to do without. */
function lacking(text: string, page: ReturnType<typeof codePage>): string {
  const characters = new Set(Array.from(text).filter((character) => page?.bytesOf(character) === undefined));
  const named = [...characters].slice(0, mostNamedCharacters).map((character) => JSON.stringify(character));
  return `${named.join(", ")}${characters.size > mostNamedCharacters ? " and the like" : ""}`;
}

/** XML and JSON: what they take is the server's to say. */
export function fitMarkup(type: string): Fit {
  return withText(type, fits);
}

/** CHAR(36) or hexadecimal with hyphens, as SQL Server writes them, in braces or not. */
export const fitGUID: Fit = (value) => {
  const text = typeof value === "string" ? value.trim().replace(/^\{(.*)\}$/, "$1") : "";
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return fits(text.toUpperCase());
  return violation(
    `the column is UNIQUEIDENTIFIER: expected 32 hexadecimal digits as 8-4-4-4-12, got ${describeType(value)}`,
    "must be 32 hexadecimal digits as 8-4-4-4-12",
  );
};

/** BINARY and VARBINARY of at most `length` bytes; undefined is MAX. */
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
function withText(type: string, fit: (text: string) => Fitted<StagedValue>): Fit {
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
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value) || "toJSON" in value) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (typeof value === "number") return String(value);
  return value instanceof Date ? "an invalid date" : describeType(value);
}
