/**
 * The words of a re-ask. They are part of requests, and so of the keys under which answers are stored: a change of one byte
 * is paid for again by every user. `tests/golden/` holds them. The words for people are in `errors/wording.ts`; the two share
 * the facts of a {@link BrokenRule} and no sentence, so what looks alike here and there stays apart on purpose.
 */
import type { Bound, BrokenRule } from "../errors/broken-rule.ts";
import { toJSONValue } from "../json/json.ts";
import { formatExample } from "./limit-words.ts";

/** One problem with an answer. `path` is dotted, and empty for the answer as a whole. */
export interface ReAskLine {
  readonly path: string;
  readonly line: string;
}

/** The message that follows an invalid answer; at most ten problems are named. `soleField` is the one that the next answer may change. */
export function reAskMessage(problems: readonly ReAskLine[], soleField?: string): string {
  const lines = problems.slice(0, maxLines).map(({ path, line }) => `- ${path === "" ? line : `${path}: ${line}`}`);
  return [
    "The previous reply did not pass validation:",
    ...lines,
    soleField === undefined
      ? "Reply again with the complete corrected JSON object. Fields not listed above can stay as they were."
      : `Reply again with the complete corrected JSON object. Only ${soleField} is to change: the other fields stay as they were.`,
  ].join("\n");
}

/** The beginning of an invalid answer, as the model is shown it: 2,000 characters at most. */
export function echoOf(answer: string): string {
  return answer.slice(0, maxEchoedCharacters).toWellFormed(); // half a surrogate pair is not UTF-8
}

/** The line about an answer that `JSON.parse` rejects with `error`. */
export function notJSONLine(error: unknown): string {
  const problem = "the reply is not valid JSON";
  // The parser quotes some of the answer: its line breaks must not look like lines of the re-ask.
  return error instanceof SyntaxError ? `${problem}: ${oneLine(error.message)}` : problem;
}

/** The line of version 0.1 about such a value, where it was another one. */
export function formerRuleLine(rule: BrokenRule, value: unknown): string | undefined {
  if (rule.kind !== "format" || formatExample(rule.format) === undefined) return undefined;
  return `must have the format ${rule.format}, got ${quote(value)}`;
}

/** The line about a value that breaks a rule of the schema, without its path. */
export function ruleLine(rule: BrokenRule, value: unknown): string {
  if (rule.kind === "choice" && typeof value === "string") {
    const nearest = rule.nearest.map((name) => JSON.stringify(name)).join(", ");
    return `${quote(value)} is not one of the allowed values${nearest === "" ? "" : `; closest: ${nearest}`}`;
  }
  if (rule.kind === "known-fields") {
    const names = rule.unknown.slice(0, maxNamedFields).map(quote).join(", ");
    return `has unknown fields: ${names}${rule.unknown.length > maxNamedFields ? " and others" : ""}`;
  }
  const got = rule.kind === "size" && rule.got !== undefined ? rule.got : quote(value);
  return `${demandOf(rule)}, got ${got}`;
}

const maxEchoedCharacters = 2000;
const maxLines = 10;
const maxNamedFields = 5;
const maxQuotedCharacters = 80;
const maxSentenceCharacters = 300;

function demandOf(rule: Exclude<BrokenRule, { kind: "known-fields" }>): string {
  if (rule.kind === "choice")
    return rule.choices.length === 1 ? `must be ${quote(rule.choices[0])}` : "must be one of the allowed values";
  if (rule.kind === "type")
    return `must be ${rule.type === "null" ? "null" : `${/^[aeiou]/.test(rule.type) ? "an" : "a"} ${rule.type}`}`;
  if (rule.kind === "multiple") return `must be a multiple of ${rule.divisor}`;
  if (rule.kind === "start") return `must start with ${JSON.stringify(rule.text)}`;
  if (rule.kind === "end") return `must end with ${JSON.stringify(rule.text)}`;
  if (rule.kind === "part") return `must include ${JSON.stringify(rule.text)}`;
  if (rule.kind === "pattern") return `must match ${rule.pattern}`;
  if (rule.kind === "format") {
    const example = formatExample(rule.format);
    return example === undefined ? `must have the format ${rule.format}` : `must be ${example}`;
  }
  if (rule.kind === "alternatives") return "must fit one of the alternatives";
  if (rule.kind === "size") return `must have ${boundText(rule.bound)} ${rule.unit}`;
  if (rule.kind === "range") return `must be between ${rule.minimum} and ${rule.maximum}`;
  if (rule.kind === "own") return oneLine(rule.sentence);
  const comparison = rule.side === "most" ? "less than" : "more than";
  return `must be ${comparison} ${rule.isInclusive ? "or equal to " : ""}${rule.limit}`;
}

function boundText(bound: Bound): string {
  if (bound.side === "both") return `${bound.minimum} to ${bound.maximum}`;
  return `${bound.side === "most" ? "at most" : "at least"} ${bound.limit}`;
}

/** A value as JSON, cut at 80 characters. */
function quote(value: unknown): string {
  return cut(JSON.stringify(toJSONValue(value)) ?? "nothing", maxQuotedCharacters);
}

/** A sentence that is not ours, on one line, cut at 300 characters. */
function oneLine(text: string): string {
  return cut(text.replaceAll(/\s+/g, " ").trim(), maxSentenceCharacters);
}

function cut(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1).toWellFormed()}…` : text;
}
