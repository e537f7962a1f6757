import type { z } from "zod";
import type { JSONSchema } from "../json/json-schema.ts";
import { closest } from "./closest.ts";
import { toJSONValue } from "../json/json.ts";
import { kindOf } from "./kind-of.ts";

/** What is wrong with a value that a schema refuses. `message` holds no content; `detail` shows the value. */
export interface Wording {
  readonly message: string;
  readonly detail: string;
}

/** Words what Zod found, with expected and got. `schema` is that of the field with its limits as keywords, if it is known. */
export function wordingOf(issue: z.core.$ZodIssue, value: unknown, schema: JSONSchema = {}): Wording {
  if (issue.code === "invalid_value" && typeof value === "string") {
    const nearest = closest(value, issue.values.map(String), 3).map((name) => JSON.stringify(name));
    const hint = nearest.length === 0 ? "" : `; closest: ${nearest.join(", ")}`;
    const problem = "is not one of the allowed values";
    return { message: `${kindOf(value)} ${problem}`, detail: `${quote(value)} ${problem}${hint}` };
  }
  if (issue.code === "invalid_value") {
    const [only] = issue.values;
    return withGot(issue.values.length === 1 ? `must be ${quote(only)}` : "must be one of the allowed values", value);
  }
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.slice(0, maxNamedKeys).map(quote).join(", ");
    const more = issue.keys.length > maxNamedKeys ? " and others" : "";
    return { message: "has unknown fields", detail: `has unknown fields: ${names}${more}` };
  }
  if (issue.code === "too_big" || issue.code === "too_small") return sizeWording(issue, value, schema);
  if (issue.code === "invalid_type") return withGot(`must be ${article(issue.expected)}`, value);
  if (issue.code === "not_multiple_of") return withGot(`must be a multiple of ${issue.divisor}`, value);
  if (issue.code === "invalid_format") return withGot(formatWording(issue, schema), value);
  if (issue.code === "invalid_union") return withGot("must fit one of the alternatives", value);
  const isSafe = issue.code === "custom" && issue.params === holdsNoContent;
  return isSafe ? withGot(oneLine(issue.message), value) : foreignWording(issue.message, value);
}

/** What a rule of the user's own says, or a schema of another library: its sentence may quote the value. */
export function foreignWording(sentence: string, value: unknown): Wording {
  return { ...withGot(oneLine(sentence), value), message: `breaks a rule of the schema, got ${kindOf(value)}` };
}

/** What stands at a path, of a value's own fields. */
export function valueAt(answer: unknown, path: readonly PropertyKey[]): unknown {
  let value = answer;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = new Map(Object.entries(value)).get(String(key));
  }
  return value;
}

/** A value as it stands in a `detail`: JSON, cut at 80 characters. */
export function quote(value: unknown): string {
  return cut(JSON.stringify(toJSONValue(value)) ?? "nothing", maxQuotedCharacters);
}

/** Somebody else's sentence, as it may stand in a line to the model: on one line, cut at 300 characters. */
export function oneLine(text: string): string {
  return cut(text.replaceAll(/\s+/g, " ").trim(), maxSentenceCharacters);
}

/**
 * The `params` of a custom issue whose message names rules only, no value. The wording of any other check may hold
 * content, so it is told to the model and to the dead letter, but stands in no `message`.
 */
export const holdsNoContent: Readonly<Record<string, unknown>> = { holdsNoContent: true };

const maxQuotedCharacters = 80;
const maxSentenceCharacters = 300;
const maxNamedKeys = 5;

function cut(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1).toWellFormed()}…` : text;
}

function formatWording(issue: z.core.$ZodIssueInvalidStringFormat, schema: JSONSchema): string {
  if ("prefix" in issue) return `must start with ${JSON.stringify(issue.prefix)}`;
  if ("suffix" in issue) return `must end with ${JSON.stringify(issue.suffix)}`;
  if ("includes" in issue) return `must include ${JSON.stringify(issue.includes)}`;
  if (issue.format === "regex") return `must match ${issue.pattern}`;
  return `must have the format ${schema.format ?? issue.format}`;
}

function sizeWording(
  issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall,
  value: unknown,
  schema: JSONSchema,
): Wording {
  if (issue.origin === "string") {
    const bound = boundText(schema.minLength, schema.maxLength, issue);
    if (typeof value !== "string") return withGot(`must have ${bound} characters`, value); // text made of it was measured
    return both(`must have ${bound} characters, got ${lengthOf(value, issue)}`);
  }
  if (Array.isArray(value)) {
    return both(`must have ${boundText(schema.minItems, schema.maxItems, issue)} items, got ${value.length}`);
  }
  const { minimum, maximum } = schema;
  if (minimum !== undefined && maximum !== undefined)
    return withGot(`must be between ${minimum} and ${maximum}`, value);
  const limit = issue.code === "too_big" ? issue.maximum : issue.minimum;
  const shown = issue.origin === "date" ? new Date(Number(limit)).toISOString() : String(limit);
  const comparison = issue.code === "too_big" ? "less than" : "more than";
  return withGot(`must be ${comparison} ${issue.inclusive === true ? "or equal to " : ""}${shown}`, value);
}

/** The length of a text that is too long or too short: in code points, as Zod counts, or in UTF-16 units where these are too many. */
function lengthOf(text: string, issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): number {
  const characters = [...text].length;
  return issue.code === "too_big" && characters <= issue.maximum ? text.length : characters;
}

function boundText(
  minimum: number | undefined,
  maximum: number | undefined,
  issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall,
): string {
  if (minimum !== undefined && maximum !== undefined && minimum > 1) return `${minimum} to ${maximum}`;
  return issue.code === "too_big" ? `at most ${issue.maximum}` : `at least ${issue.minimum}`;
}

function both(message: string): Wording {
  return { message, detail: message };
}

function withGot(expected: string, value: unknown): Wording {
  return { message: `${expected}, got ${kindOf(value)}`, detail: `${expected}, got ${quote(value)}` };
}

function article(type: string): string {
  return type === "null" ? "null" : `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}
