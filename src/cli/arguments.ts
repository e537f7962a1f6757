import { InvalidArgumentError } from "commander";

/** Parses a count: a whole number from 1 up. @throws {InvalidArgumentError} */
export function wholeNumber(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1 up.");
}

/** Parses a whole number from 0 up. @throws {InvalidArgumentError} */
export function wholeNumberOrZero(text: string): number {
  return text === "0" ? 0 : wholeNumber(text);
}

/** Parses an amount of money above 0. @throws {InvalidArgumentError} */
export function amount(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected an amount above 0, for example 2.50.");
}

/** Parses a number of rows from 1 up, or a share of them between 0 and 1. @throws {InvalidArgumentError} */
export function countOrShare(text: string): number | "never" {
  if (text === "never") return text;
  if (/^[1-9]\d*$/.test(text) || /^0?\.\d*[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError(
    "Expected a whole number from 1 up, a share between 0 and 1, for example 0.05, or never.",
  );
}

/** Parses a local time, or a date for its midnight. @throws {InvalidArgumentError} */
export function pastTime(text: string): Date {
  const time = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
  if (/^\d{4}-/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError("Expected a date or a time, for example 2026-01-31 or 2026-01-31T18:00.");
}

const unitMs = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/** Parses an age: hours, days or weeks, in milliseconds. @throws {InvalidArgumentError} */
export function age(text: string): number {
  const [, count, unit] = /^(\d{1,6})([hdw])$/.exec(text) ?? [];
  if (unit === "h" || unit === "d" || unit === "w") return Number(count) * unitMs[unit];
  throw new InvalidArgumentError("Expected a number of hours, days or weeks, for example 12h, 90d or 8w.");
}

/** Adds a value of an option that may be repeated. */
export function addText(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Adds a `name=value` pair of an option that may be repeated. @throws {InvalidArgumentError} */
export function addParameter(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected name=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
