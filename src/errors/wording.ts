import type { z } from "zod";
import { toJSONValue } from "../json/json.ts";
import { type Bound, type BrokenRule, brokenRule } from "./broken-rule.ts";
import { describeType } from "./describe-type.ts";

/** The sentence for people about a value that a schema rejects. `message` holds no content; `detail` shows the value. */
export interface Wording {
  readonly message: string;
  readonly detail: string;
}

/** Words an issue of Zod for people, with expected and got. */
export function wordingOf(issue: z.core.$ZodIssue, value: unknown): Wording {
  return wordingOfRule(brokenRule(issue, value), value);
}

/** Words a broken rule for people, with expected and got. The model's words are those of `validation/re-ask-wording.ts`. */
export function wordingOfRule(rule: BrokenRule, value: unknown): Wording {
  if (rule.kind === "choice" && typeof value === "string") {
    const problem = "is not one of the allowed values";
    const nearest = rule.nearest.map((name) => JSON.stringify(name)).join(", ");
    const hint = nearest === "" ? "" : `; closest: ${nearest}`;
    return { message: `${describeType(value)} ${problem}`, detail: `${quote(value)} ${problem}${hint}` };
  }
  if (rule.kind === "known-fields") {
    const names = rule.unknown.slice(0, maxNamedFields).map(quote).join(", ");
    const more = rule.unknown.length > maxNamedFields ? " and others" : "";
    return { message: "has unknown fields", detail: `has unknown fields: ${names}${more}` };
  }
  if (rule.kind === "size" && rule.got !== undefined) {
    const sentence = `${demandOf(rule)}, got ${rule.got}`;
    return { message: sentence, detail: sentence };
  }
  if (rule.kind === "own" && rule.contentFree === undefined) return foreignWording(rule.sentence, value);
  return withGot(demandOf(rule), value);
}

/** Words a rule of the user's own, or an issue of another schema library. Its sentence may quote the value: only `detail` has it. */
export function foreignWording(sentence: string, value: unknown): Wording {
  const { message } = withGot("breaks a rule of the schema", value);
  return { message, detail: withGot(oneLine(sentence), value).detail };
}

/** The value at a path, found among own fields only. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = new Map(Object.entries(value)).get(String(key));
  }
  return value;
}

/** A value as a `detail` shows it: JSON, cut at 80 characters. */
export function quote(value: unknown): string {
  return cut(JSON.stringify(toJSONValue(value)) ?? "nothing", maxQuotedCharacters);
}

/** Somebody else's sentence on one line, cut at 300 characters. */
export function oneLine(text: string): string {
  return cut(text.replaceAll(/\s+/g, " ").trim(), maxSentenceCharacters);
}

const maxQuotedCharacters = 80;
const maxSentenceCharacters = 300;
const maxNamedFields = 5;

function cut(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1).toWellFormed()}…` : text;
}

function withGot(demand: string, value: unknown): Wording {
  return { message: `${demand}, got ${describeType(value)}`, detail: `${demand}, got ${quote(value)}` };
}

function demandOf(rule: BrokenRule): string {
  if (rule.kind === "choice")
    return rule.choices.length === 1 ? `must be ${quote(rule.choices[0])}` : "must be one of the allowed values";
  if (rule.kind === "known-fields") return "must have no unknown fields";
  if (rule.kind === "type")
    return `must be ${rule.type === "null" ? "null" : `${/^[aeiou]/.test(rule.type) ? "an" : "a"} ${rule.type}`}`;
  if (rule.kind === "multiple") return `must be a multiple of ${rule.divisor}`;
  if (rule.kind === "start") return `must start with ${JSON.stringify(rule.text)}`;
  if (rule.kind === "end") return `must end with ${JSON.stringify(rule.text)}`;
  if (rule.kind === "part") return `must include ${JSON.stringify(rule.text)}`;
  if (rule.kind === "pattern") return `must match ${rule.pattern}`;
  if (rule.kind === "format") return `must have the format ${rule.format}`;
  if (rule.kind === "alternatives") return "must fit one of the alternatives";
  if (rule.kind === "size") return `must have ${boundText(rule.bound)} ${rule.unit}`;
  if (rule.kind === "range") return `must be between ${rule.minimum} and ${rule.maximum}`;
  if (rule.kind === "own") return rule.contentFree ?? oneLine(rule.sentence);
  const comparison = rule.side === "most" ? "less than" : "more than";
  return `must be ${comparison} ${rule.isInclusive ? "or equal to " : ""}${rule.limit}`;
}

function boundText(bound: Bound): string {
  if (bound.side === "both") return `${bound.minimum} to ${bound.maximum}`;
  return `at ${bound.side} ${bound.limit}`;
}
