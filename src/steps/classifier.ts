import type { z } from "zod";
import type { ErrorFacts } from "../errors/facts.ts";
import { describeType } from "../errors/describe-type.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, isCount, isObject, isOneOf, type OptionCheck, optional } from "../errors/options.ts";
import {
  classifierOutput,
  type ClassifierOutputOptions,
  type ClassifierSchema,
  type LabelCounts,
  labelsOutput,
  type LabelsSchema,
  type OnInvalidConfidence,
  type ReasoningPlace,
} from "../validation/base-schemas.ts";
import { LLMStep, type ModelStepOptions, modelStepChecks } from "./llm-step.ts";

export interface Category<Name extends string = string> {
  readonly name: Name;
  /** The texts that belong in the category, and those that do not. */
  readonly definition: string;
  /** Texts of the category. */
  readonly examples?: readonly string[] | undefined;
}

export interface ClassifierStepOptions<
  State,
  Key extends string,
  Name extends string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
  Applies extends boolean = never,
  Several extends LabelCounts | undefined = undefined,
>
  extends
    ModelStepOptions<
      State,
      Key,
      "text" | "context",
      Applies,
      z.input<ClassifiedSchema<NoInfer<Name>, Place, OnInvalid, Several>>
    >,
    ClassifierOutputOptions<Place, OnInvalid> {
  /** The categories to choose from; up to about 200 of them fit one step. */
  readonly taxonomy: readonly Category<Name>[];
  /**
   * Asks for several labels, each a category with a confidence, the surest first and none twice; how many of them is limited by `min` and
   * `max`, and `{}` allows any number. The output is then `{ labels, reasoning }`. @default one category
   *
   * @example labels: { min: 0, max: 5 }
   */
  readonly labels?: Several | undefined;
  /**
   * The place of the model's reasoning in its answer: `"first"` gives better categories, `false` leaves it out and saves about half of
   * the tokens of an answer. @default "first"
   */
  readonly reasoning?: Place | undefined;
  /**
   * The treatment of a confidence that is invalid (1.5, or "high"). `"fail"`: ask again, and fail the row if it is still so after the last
   * re-ask. `"null"`: keep the row with null, without a re-ask; the report counts the nulls in `invalidValues`. The category is as good:
   * small models often can't give a confidence, and 27 of 27 re-asks about it were in vain with one of them. @default "fail"
   */
  readonly onInvalidConfidence?: OnInvalid | undefined;
}

/**
 * Puts each row into exactly one category of the taxonomy, or with `labels` into several.
 *
 * Inputs: `text`, and optionally `context`. Output: `{ category, confidence, reasoning }`, with `labels` `{ labels: [{ category, confidence }],
 * reasoning }`; without `reasoning` where it is left out.
 */
export class ClassifierStep<
  State,
  const Key extends string,
  const Name extends string,
  const Place extends ReasoningPlace = "first",
  const OnInvalid extends OnInvalidConfidence = "fail",
  Applies extends boolean = never,
  Several extends LabelCounts | undefined = undefined,
> extends LLMStep<State, Key, ClassifiedSchema<Name, Place, OnInvalid, Several>, Applies> {
  /**
   * @throws {OptionError} for an empty taxonomy, a blank name, definition or example, a name that occurs twice, and numbers of labels that
   * can't be had
   */
  constructor(options: ClassifierStepOptions<State, Key, Name, Place, OnInvalid, Applies, Several>) {
    checkOptions("ClassifierStep", options, {
      ...modelStepChecks,
      taxonomy: isObject,
      labels: optional(isObject),
      reasoning: optional(isReasoningPlace),
      maxReasoningCharacters: optional(isCount(1)),
      onInvalidConfidence: optional(isOneOf("fail", "null")),
    });
    const { taxonomy, labels, reasoning, maxReasoningCharacters, onInvalidConfidence, ...rest } = options;
    checkTaxonomy(taxonomy);
    if (labels !== undefined) checkLabels(labels, taxonomy.length);
    if (reasoning === false && maxReasoningCharacters !== undefined) {
      throw new OptionError("ClassifierStep", "maxReasoningCharacters", "there is no reasoning to limit", {
        hint: 'leave it out, or set reasoning: "first"',
      });
    }
    const names = taxonomy.map(({ name }) => name);
    const answer = { reasoning, maxReasoningCharacters };
    const schemaOf = (confidence?: OnInvalid): ClassifiedSchema<Name, Place, OnInvalid, Several> => {
      const asked = { ...answer, onInvalidConfidence: confidence };
      const made = labels === undefined ? classifierOutput(names, asked) : labelsOutput(names, { ...asked, ...labels });
      return made as ClassifiedSchema<Name, Place, OnInvalid, Several>; // which of the two is known when it is called
    };
    const askedSchema = onInvalidConfidence === "null" ? schemaOf() : undefined;
    super({ ...rest, prompt: promptFor(taxonomy, labels), schema: schemaOf(onInvalidConfidence), askedSchema });
  }
}

/** The schema of an answer: of one category, or of several labels. */
type ClassifiedSchema<
  Name extends string,
  Place extends ReasoningPlace,
  OnInvalid extends OnInvalidConfidence,
  Several extends LabelCounts | undefined,
> = [Several] extends [undefined] ? ClassifierSchema<Name, Place, OnInvalid> : LabelsSchema<Name, Place, OnInvalid>;

/** The output of a {@link ClassifierStep} in `state.processed`. */
export type ClassifierOutput<
  Name extends string = string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> = z.output<ClassifierSchema<Name, Place, OnInvalid>>;

/** The output of a {@link ClassifierStep} with `labels`. */
export type LabelsOutput<
  Name extends string = string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> = z.output<LabelsSchema<Name, Place, OnInvalid>>;

const isReasoningPlace: OptionCheck = {
  expected: '"first", "last" or false',
  fits: (value) => value === false || isOneOf("first", "last").fits(value),
  required: true,
};

function checkTaxonomy(taxonomy: readonly Category[]): void {
  if (!Array.isArray(taxonomy)) {
    throw wrong("", { expected: "an array of { name, definition, examples? }", got: describeType(taxonomy) });
  }
  if (taxonomy.length === 0) throw wrong("", { expected: "at least one category", got: "an empty array" });
  const seen = new Map<string, number>();
  for (const [index, category] of taxonomy.entries()) {
    const { name, definition, examples = [] } = category ?? {};
    const entry = index + 1;
    if (!isFilled(name)) throw wrong(`entry ${entry}`, { expected: "a name that is not blank", entry });
    if (!isFilled(definition)) throw wrong(`"${name}"`, { expected: "a definition that is not blank", entry });
    if (!Array.isArray(examples) || !examples.every(isFilled)) {
      throw wrong(`"${name}"`, { expected: "examples that are not blank", entry });
    }
    const folded = name.trim().toLowerCase();
    const first = seen.get(folded);
    if (first !== undefined) {
      const hint = "rename one of them, or merge the two";
      throw wrong(`entries ${first} and ${entry} are both named "${name}"`, { entry, first, hint });
    }
    seen.set(folded, entry);
  }
}

function checkLabels(labels: LabelCounts, categoryCount: number): void {
  checkOptions("ClassifierStep: labels", labels, { min: optional(isCount(0)), max: optional(isCount(1)) });
  const { min = 0, max = categoryCount } = labels;
  const most = Math.min(max, categoryCount);
  if (max <= categoryCount && min <= most) return;
  const name = max > categoryCount ? "max" : "min";
  const facts = { expected: `at most ${name === "max" ? categoryCount : most}`, got: name === "max" ? max : min };
  throw new OptionError("ClassifierStep: labels", name, "no answer could have that many labels", facts);
}

/** `entry` is the position of the category at fault, from 1. */
function wrong(problem: string, facts: ErrorFacts): OptionError {
  return new OptionError("ClassifierStep", "taxonomy", problem, facts);
}

function isFilled(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

function promptFor(taxonomy: readonly Category[], labels: LabelCounts | undefined): string {
  const categories = taxonomy.map(({ name, definition, examples = [] }) => {
    const lines = examples.map((example) => `  - example: ${JSON.stringify(example)}`);
    return [`- ${JSON.stringify(name)}: ${definition.trim()}`, ...lines].join("\n");
  });
  const list = `Categories:\n${categories.join("\n")}`;
  const context = "A context, if there is one, helps to understand the text.";
  if (labels !== undefined) {
    return [
      `Classify the text: give it ${labelWords(labels)}, each a category whose definition fits it, the surest first, none twice.`,
      list,
      "Use a category's name exactly as it is written. Where a category and a more specific one fit, choose the more specific. " +
        `${(labels.min ?? 0) === 0 ? "Where none fits, give an empty list. " : ""}${context}`,
    ].join("\n\n");
  }
  return [
    "Classify the text: choose the one category whose definition fits it best.",
    list,
    "Use a category's name exactly as it is written. Where several fit, choose the most specific; where none fits " +
      `well, choose the nearest and give a low confidence. ${context}`,
  ].join("\n\n");
}

function labelWords({ min = 0, max }: LabelCounts): string {
  if (min === max) return `exactly ${min} ${min === 1 ? "label" : "labels"}`;
  if (max === undefined) return min === 0 ? "as many labels as fit" : `at least ${min} labels`;
  return min === 0 ? `at most ${max} labels` : `${min} to ${max} labels`;
}
