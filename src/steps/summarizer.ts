import type { z } from "zod";
import { OptionError } from "../errors/option.ts";
import { ContentFreeSentence } from "../errors/broken-rule.ts";
import { checkOptions, isCount, isTextList, type OptionCheck, optional } from "../errors/options.ts";
import { SummarizerOutput } from "../validation/base-schemas.ts";
import { LLMStep, type ModelStepOptions, modelStepChecks } from "./llm-step.ts";

export interface SummarizerStepOptions<
  State,
  Key extends string,
  Applies extends boolean = never,
> extends ModelStepOptions<State, Key, "text" | "focus", Applies, SummarizerOutput> {
  /** The most characters of a summary, in UTF-16 units, as NVARCHAR counts them. @default no limit */
  readonly maxCharacters?: number | undefined;
  /** The most sentences of a summary, as `Intl.Segmenter` counts them. @default no limit */
  readonly maxSentences?: number | undefined;
  /** Texts that every summary must contain, letter case aside. */
  readonly mustInclude?: readonly string[] | undefined;
  /** Patterns that no summary may match: names, say, or numbers that must not leak. The model is never shown them beforehand. */
  readonly mustNotMatch?: readonly RegExp[] | undefined;
  /** Rules that only a model can judge: they are part of the prompt. The rules above are checked in code as well. */
  readonly rules?: readonly string[] | undefined;
}

/**
 * Summarizes each row. A summary that breaks a rule is sent back with the reason.
 *
 * Inputs: `text`, and optionally `focus`: the matters that count for the reader. Output: `{ text, reasoning }`.
 */
export class SummarizerStep<State, const Key extends string, Applies extends boolean = never> extends LLMStep<
  State,
  Key,
  typeof SummarizerOutput,
  Applies
> {
  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: SummarizerStepOptions<State, Key, Applies>) {
    checkOptions("SummarizerStep", options, {
      ...modelStepChecks,
      maxCharacters: optional(isCount(1)),
      maxSentences: optional(isCount(1)),
      mustInclude: optional(isTextList),
      mustNotMatch: optional(isPatternList),
      rules: optional(isTextList),
    });
    const { maxCharacters, maxSentences, mustInclude, mustNotMatch, rules, ...rest } = options;
    rejectSticky(mustNotMatch);
    const summary = { maxCharacters, maxSentences, mustInclude, mustNotMatch, rules };
    super({ ...rest, prompt: promptFor(summary), schema: SummarizerOutput.extend({ text: ruled(summary) }) });
  }
}

type SummaryRules = Pick<
  SummarizerStepOptions<unknown, string>,
  "maxCharacters" | "maxSentences" | "mustInclude" | "mustNotMatch" | "rules"
>;

const isPatternList: OptionCheck = {
  expected: "an array of regular expressions",
  fits: (value) => Array.isArray(value) && value.every((item) => item instanceof RegExp),
  required: true,
};

/** A sticky pattern is tried at the beginning only: a rule that would hardly ever fire. */
function rejectSticky(patterns: readonly RegExp[] = []): void {
  const sticky = patterns.find((pattern) => pattern.sticky);
  if (sticky === undefined) return;
  const problem = `${sticky} has the flag y, with which it is tried at the beginning of a summary only`;
  const hint = "leave the flag out (or begin the pattern with ^)";
  throw new OptionError("SummarizerStep", "mustNotMatch", problem, { pattern: String(sticky), hint });
}

function promptFor({ maxCharacters, maxSentences, mustInclude = [], rules = [] }: SummaryRules): string {
  const lines = [
    "Keep to what the text says: add nothing, and keep names, numbers and dates exact.",
    ...(maxCharacters === undefined ? [] : [`Use at most ${maxCharacters} characters.`]),
    ...(maxSentences === undefined ? [] : [`Use at most ${maxSentences} sentences.`]),
    ...mustInclude.map((text) => `Include ${JSON.stringify(text)}.`),
    ...rules,
  ];
  return [
    "Summarize the text for a reader who will not see it. Where a focus is given, say first what matters to it.",
    `Rules:\n${lines.map((line) => `- ${line}`).join("\n")}`,
  ].join("\n\n");
}

/** The summary's schema: each rule that code can check is one of its checks, and a keyword for the model. */
function ruled({ maxCharacters, maxSentences, mustInclude = [], mustNotMatch = [] }: SummaryRules): z.ZodString {
  const text = SummarizerOutput.shape.text.check(({ value, issues }) => {
    const reject = (reAsk: string, sentence: string): void => {
      issues.push({ code: "custom", message: reAsk, input: value, params: new ContentFreeSentence(sentence) });
    };
    // Zod's own .max() counts code points, of which a column of NVARCHAR(n) may hold no more than half.
    if (maxCharacters !== undefined && value.length > maxCharacters) {
      issues.push({ code: "too_big", origin: "string", maximum: maxCharacters, inclusive: true, input: value });
    }
    if (maxSentences !== undefined) {
      const count = countSentences(value);
      if (count > maxSentences) {
        reject(
          `must have at most ${maxSentences} sentences, has ${count}`,
          `must have at most ${maxSentences} sentences and has ${count}`,
        );
      }
    }
    for (const wanted of mustInclude) {
      if (value.toLowerCase().includes(wanted.toLowerCase())) continue;
      reject(`must include ${JSON.stringify(wanted)}`, `must include ${JSON.stringify(wanted)}, letter case aside`);
    }
    for (const pattern of mustNotMatch) {
      if (value.search(pattern) !== -1) reject(`must not match ${pattern}`, `must not match the pattern ${pattern}`);
    }
  });
  return text.meta({
    description: SummarizerOutput.shape.text.description ?? "",
    ...(maxCharacters === undefined ? {} : { maxLength: maxCharacters }),
    ...(maxSentences === undefined ? {} : { maxSentences }),
    ...(mustInclude.length === 0 ? {} : { mustInclude }),
  });
}

const sentences = new Intl.Segmenter("en", { granularity: "sentence" });

function countSentences(text: string): number {
  return [...sentences.segment(text)].filter(({ segment }) => segment.trim() !== "").length;
}
