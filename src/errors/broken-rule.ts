import type { z } from "zod";
import type { JSONSchema } from "../json/json-schema.ts";
import { closest } from "./closest.ts";

/**
 * The rule of a schema that a value breaks, as facts. `errors/wording.ts` makes a sentence for people of them, and
 * `validation/re-ask-wording.ts` a line for the model: neither shares its words with the other.
 */
export type BrokenRule =
  /** `nearest`: the choices that resemble a text, best first. */
  | { readonly kind: "choice"; readonly choices: readonly unknown[]; readonly nearest: readonly string[] }
  | { readonly kind: "known-fields"; readonly unknown: readonly string[] }
  | { readonly kind: "type"; readonly type: string }
  | { readonly kind: "multiple"; readonly divisor: number | bigint }
  | { readonly kind: "start"; readonly text: string }
  | { readonly kind: "end"; readonly text: string }
  | { readonly kind: "part"; readonly text: string }
  | { readonly kind: "pattern"; readonly pattern: string }
  | { readonly kind: "format"; readonly format: string }
  | { readonly kind: "alternatives" }
  /** `got` is missing if the value was made a text before it was measured. */
  | { readonly kind: "size"; readonly unit: "characters" | "items"; readonly bound: Bound; readonly got?: number }
  | { readonly kind: "range"; readonly minimum: number; readonly maximum: number }
  | { readonly kind: "limit"; readonly side: Side; readonly isInclusive: boolean; readonly limit: string }
  /** A rule of the user's own, or of a step. Its sentence may quote the value; `contentFree` does not. */
  | { readonly kind: "own"; readonly sentence: string; readonly contentFree?: string };

type Side = "least" | "most";

/** One bound of a size, or both. */
export type Bound =
  | { readonly side: "both"; readonly minimum: number; readonly maximum: number }
  | { readonly side: Side; readonly limit: number | bigint };

/** The `params` of a custom issue: the rule in a sentence for people, which names no value and so may be in a `message`. */
export class ContentFreeSentence {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The rule behind an issue of Zod. `schema` is the field's, with its limits as keywords, as far as it is known. */
export function brokenRule(issue: z.core.$ZodIssue, value: unknown, schema: JSONSchema = {}): BrokenRule {
  if (issue.code === "invalid_value") {
    const nearest = typeof value === "string" ? closest(value, issue.values.map(String), 3) : [];
    return { kind: "choice", choices: issue.values, nearest };
  }
  if (issue.code === "unrecognized_keys") return { kind: "known-fields", unknown: issue.keys };
  if (issue.code === "invalid_type") return { kind: "type", type: issue.expected };
  if (issue.code === "not_multiple_of") return { kind: "multiple", divisor: issue.divisor };
  if (issue.code === "invalid_format") return formatRule(issue, schema);
  if (issue.code === "invalid_union") return { kind: "alternatives" };
  if (issue.code === "too_big" || issue.code === "too_small") return sizeRule(issue, value, schema);
  const { message: sentence } = issue;
  const isContentFree = issue.code === "custom" && issue.params instanceof ContentFreeSentence;
  return { kind: "own", sentence, ...(isContentFree && { contentFree: issue.params.text }) };
}

function formatRule(issue: z.core.$ZodIssueInvalidStringFormat, schema: JSONSchema): BrokenRule {
  if ("prefix" in issue) return { kind: "start", text: String(issue.prefix) };
  if ("suffix" in issue) return { kind: "end", text: String(issue.suffix) };
  if ("includes" in issue) return { kind: "part", text: String(issue.includes) };
  if (issue.format === "regex") return { kind: "pattern", pattern: String(issue.pattern) };
  return { kind: "format", format: schema.format ?? issue.format };
}

type SizeIssue = z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall;

function sizeRule(issue: SizeIssue, value: unknown, schema: JSONSchema): BrokenRule {
  if (issue.origin === "string") {
    const bound = boundOf(issue, schema.minLength, schema.maxLength);
    const got = typeof value === "string" ? { got: lengthOf(value, issue) } : {};
    return { kind: "size", unit: "characters", bound, ...got };
  }
  if (Array.isArray(value)) {
    const bound = boundOf(issue, schema.minItems, schema.maxItems);
    return { kind: "size", unit: "items", bound, got: value.length };
  }
  const { minimum, maximum } = schema;
  if (minimum !== undefined && maximum !== undefined) return { kind: "range", minimum, maximum };
  const { side, limit } = limitOf(issue);
  const shown = issue.origin === "date" ? new Date(Number(limit)).toISOString() : String(limit);
  return { kind: "limit", side, isInclusive: issue.inclusive === true, limit: shown };
}

function boundOf(issue: SizeIssue, minimum: number | undefined, maximum: number | undefined): Bound {
  const hasBoth = minimum !== undefined && maximum !== undefined && minimum > 1;
  return hasBoth ? { side: "both", minimum, maximum } : limitOf(issue);
}

function limitOf(issue: SizeIssue): { readonly side: Side; readonly limit: number | bigint } {
  return issue.code === "too_big" ? { side: "most", limit: issue.maximum } : { side: "least", limit: issue.minimum };
}

/** The length of a text that is too long or too short: in code points, as Zod counts, or in UTF-16 units where these are too many. */
function lengthOf(text: string, issue: SizeIssue): number {
  const characters = [...text].length;
  return issue.code === "too_big" && characters <= issue.maximum ? text.length : characters;
}
