import { InvalidArgumentError } from "commander";

/** A number of rows or the like. */
export function wholeNumber(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1 up.");
}

/** Gathers the values of an option that is given more than once. */
export function addText(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Gathers `name=value` pairs. */
export function addParameter(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected name=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
