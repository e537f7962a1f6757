import type { z } from "zod";
import type { JSONSchema } from "../json/json-schema.ts";
import type { Issue } from "./issues.ts";

/** A passage of a row's text. */
export interface Passage {
  /** As it is in the text. */
  readonly text: string;
  /** The first character, counted from 0, in UTF-16 units of the input `text`. */
  readonly start: number;
  /** The place behind the last character. */
  readonly end: number;
}

/** A text that a model gave as a passage: its place is found once the row's text is known. */
class GivenPassage implements Passage {
  readonly text: string;
  readonly start: number = -1;
  readonly end: number = -1;

  constructor(text: string) {
    this.text = text;
  }
}

const description = "Copied word for word from the text";

/**
 * A field whose value must stand in the input `text`, letter case and white space aside. A value that does not is asked for again. The output has
 * the passage as the text has it, with its place.
 *
 * @example schema: z.object({ reason: verbatim(z.string().max(200)).nullable() })
 */
export function verbatim(schema: z.ZodString): z.ZodPipe<z.ZodString, z.ZodTransform<Passage, string>> {
  const described = schema.description === undefined ? schema.describe(description) : schema;
  return described.meta({ ...described.meta(), verbatim: true }).transform((text): Passage => new GivenPassage(text));
}

/** True if a field is a passage. `schema` is that of `toStrictSchema`, with limits as keywords. */
export function hasPassages(schema: JSONSchema): boolean {
  return JSON.stringify(schema).includes('"verbatim":true'); // within a text the quotes would be escaped
}

/** An output whose passages have their places, and the issues about those that do not stand in the text. */
export interface Placed<Output> {
  readonly output: Output;
  readonly issues: readonly Issue[];
}

/** Finds the passages of an output in the text that its row has. */
export function placePassages<Output>(output: Output, text: string): Placed<Output> {
  const issues: Issue[] = [];
  let folded: Folded | undefined;
  const place = (value: unknown, path: readonly string[]): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item, index) => place(item, [...path, String(index)]));
    if (!(value instanceof GivenPassage)) {
      const isPlain = Object.getPrototypeOf(value) === Object.prototype;
      if (!isPlain) return value;
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, place(item, [...path, name])]));
    }
    folded ??= fold(text);
    const found = find(value.text, folded);
    if (found === undefined) issues.push(notFound(path));
    return found === undefined ? value : { ...found, text: text.slice(found.start, found.end) };
  };
  const placed = place(output, []) as Output; // of the same form: passages are passages
  return { output: placed, issues };
}

function notFound(path: readonly string[]): Issue {
  const message = "must be copied word for word from the text, and does not stand in it";
  return { code: "verbatim", path: path.join("."), message, detail: message };
}

/** A text in lower case, with one blank for all white space in a row, and the place in the text of each of its units. */
interface Folded {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

function fold(text: string): Folded {
  const parts: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  let isAfterBlank = false;
  for (const character of text) {
    const isBlank = /\s/.test(character);
    const end = at + character.length;
    if (isBlank && isAfterBlank) ends[ends.length - 1] = end;
    else {
      const part = isBlank ? " " : character.toLowerCase();
      parts.push(part);
      for (let unit = 0; unit < part.length; unit += 1) {
        starts.push(at);
        ends.push(end);
      }
    }
    isAfterBlank = isBlank;
    at = end;
  }
  return { text: parts.join(""), starts, ends };
}

/** The first place of a passage, also where the model copied `<` as it was shown it, `&lt;`. */
function find(given: string, { text, starts, ends }: Folded): Omit<Passage, "text"> | undefined {
  for (const spelled of new Set([given, given.replaceAll("&lt;", "<")])) {
    const wanted = fold(spelled.trim()).text;
    const at = wanted === "" ? -1 : text.indexOf(wanted);
    const [start, end] = [starts[at], ends[at + wanted.length - 1]];
    if (start !== undefined && end !== undefined) return { start, end };
  }
  return undefined;
}
