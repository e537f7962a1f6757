/** Words for a model about what a value has to be like. They are part of requests. */

/** By the format's name in JSON Schema: the value in words, with one as it should be. */
const formats: Readonly<Record<string, string>> = {
  date: "a date like 2024-03-31",
  "date-time": "a date and time like 2024-03-31T14:05:00Z",
  time: "a time like 14:05:00",
  duration: "a duration like P3DT4H",
  email: "an email address like name@example.com",
  uri: "an address like https://example.com/page",
  uuid: "a UUID like 123e4567-e89b-12d3-a456-426614174000",
  ipv4: "an IP address like 192.0.2.1",
  ipv6: "an IP address like 2001:db8::1",
};

/** The names of Zod for formats that JSON Schema calls otherwise: of a field that may be null, only Zod tells the format. */
const otherNames: Readonly<Record<string, string>> = { datetime: "date-time", url: "uri", guid: "uuid" };

/** A text of a format, in words with one as it should be; undefined for a format that is known by its name only. */
export function formatExample(format: string): string | undefined {
  const name = Object.hasOwn(otherNames, format) ? (otherNames[format] ?? "") : format;
  return Object.hasOwn(formats, name) ? formats[name] : undefined;
}

/** A text of a format, in words. */
export function formatWords(format: string): string {
  return formatExample(format) ?? `text of the format ${format}`;
}

/** Limits, by their keywords in JSON Schema, in words; the format aside. Keywords that say nothing to a model are left out. */
export function limitWords(limits: Readonly<Record<string, unknown>>): readonly string[] {
  const { pattern, multipleOf, uniqueItems, verbatim } = limits;
  return [
    ...sizeWords(limits["minLength"], limits["maxLength"], "characters"),
    ...sizeWords(limits["minItems"], limits["maxItems"], "items"),
    ...rangeWords(limits),
    ...(typeof multipleOf === "number" ? [`a multiple of ${multipleOf}`] : []),
    ...(typeof pattern === "string" ? [`that matches ${pattern}`] : []),
    ...(uniqueItems === true ? ["no two alike"] : []),
    ...(verbatim === true ? ["copied word for word from the text"] : []),
  ];
}

function sizeWords(least: unknown, most: unknown, unit: "characters" | "items"): readonly string[] {
  const isOne = least === 1 && most === undefined;
  if (isOne) return [unit === "items" ? "at least one" : "not empty"];
  if (typeof least === "number" && least > 0 && least === most) return [`${least} ${unit}`];
  if (typeof least === "number" && least > 0 && typeof most === "number") return [`${least} to ${most} ${unit}`];
  if (typeof most === "number") return [`at most ${most} ${unit}`];
  return typeof least === "number" && least > 0 ? [`at least ${least} ${unit}`] : [];
}

function rangeWords({
  minimum,
  maximum,
  exclusiveMinimum,
  exclusiveMaximum,
}: Readonly<Record<string, unknown>>): readonly string[] {
  const words: string[] = [];
  if (typeof minimum === "number" && typeof maximum === "number") words.push(`from ${minimum} to ${maximum}`);
  else if (typeof minimum === "number") words.push(`at least ${minimum}`);
  else if (typeof maximum === "number") words.push(`at most ${maximum}`);
  if (typeof exclusiveMinimum === "number") words.push(`more than ${exclusiveMinimum}`);
  if (typeof exclusiveMaximum === "number") words.push(`less than ${exclusiveMaximum}`);
  return words;
}
