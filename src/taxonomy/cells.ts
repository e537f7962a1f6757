import { keyText } from "../engine/primary-key.ts";

/** A code as text, without the blanks that fill a column of a fixed width; undefined for an empty cell, and for what is no code. */
export function codeIn(value: unknown): string | undefined {
  return keyText(value)?.trim();
}

/** A cell as text, "" for an empty one; undefined for what is no text. */
export function textIn(value: unknown): string | undefined {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value.trim() : keyText(value);
}

/** The texts of a cell: an array, an array in JSON, or one text; undefined for what is none of these. */
export function textsIn(value: unknown): readonly string[] | undefined {
  const list = typeof value === "string" && value.trim().startsWith("[") ? (parsedList(value) ?? [value]) : [value];
  const items = Array.isArray(value) ? value : list;
  const texts = items.map(textIn);
  return texts.every((text) => text !== undefined) ? texts.filter((text) => text !== "") : undefined;
}

function parsedList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined; // a text that begins with a bracket
  }
}

const dayMs = 86_400_000;

/**
 * The end of a validity, in milliseconds since 1970: Infinity for an empty cell, NaN for what is no date. A date without a time, and
 * midnight, is valid to the end of that day, in UTC.
 */
export function endIn(value: unknown): number {
  if (value === null || value === undefined) return Infinity;
  const moment = value instanceof Date ? value.getTime() : momentIn(textIn(value) ?? "no date");
  return moment % dayMs === 0 ? moment + dayMs : moment;
}

function momentIn(text: string): number {
  if (text === "" || /^infinity$/i.test(text)) return Infinity;
  const [, year, month, day, time = "", zone = "Z"] =
    /^(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|[+-]\d\d:?\d\d)?)?$/i.exec(text) ?? [];
  if (year === undefined) return Number.NaN;
  const colon = zone.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2").toUpperCase();
  const clock = time === "" ? "00:00" : time.replace(",", ".").replace(/(\.\d{3})\d+$/, "$1");
  return Date.parse(`${year}-${month}-${day}T${clock}${colon}`);
}
