import type { z } from "zod";
import type { ErrorFacts } from "../errors/facts.ts";
import { describeType } from "../errors/describe-type.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, isCount, isObject, isOneOf, type OptionCheck, optional } from "../errors/options.ts";
import {
  classifierOutput,
  type ClassifierOutputOptions,
  type ClassifierSchema,
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
>
  extends
    ModelStepOptions<
      State,
      Key,
      "text" | "context",
      Applies,
      z.input<ClassifierSchema<NoInfer<Name>, Place, OnInvalid>>
    >,
    ClassifierOutputOptions<Place, OnInvalid> {
  /** The categories to choose from; up to about 200 of them fit one step. */
  readonly taxonomy: readonly Category<Name>[];
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
 * Puts each row into exactly one category of the taxonomy.
 *
 * Inputs: `text`, and optionally `context`. Output: `{ category, confidence, reasoning }`; without `reasoning` where it is left out.
 */
export class ClassifierStep<
  State,
  const Key extends string,
  const Name extends string,
  const Place extends ReasoningPlace = "first",
  const OnInvalid extends OnInvalidConfidence = "fail",
  Applies extends boolean = never,
> extends LLMStep<State, Key, ClassifierSchema<Name, Place, OnInvalid>, Applies> {
  /** @throws {OptionError} for an empty taxonomy, a blank name, definition or example, and a name that occurs twice */
  constructor(options: ClassifierStepOptions<State, Key, Name, Place, OnInvalid, Applies>) {
    checkOptions("ClassifierStep", options, {
      ...modelStepChecks,
      taxonomy: isObject,
      reasoning: optional(isReasoningPlace),
      maxReasoningCharacters: optional(isCount(1)),
      onInvalidConfidence: optional(isOneOf("fail", "null")),
    });
    const { taxonomy, reasoning, maxReasoningCharacters, onInvalidConfidence, ...rest } = options;
    checkTaxonomy(taxonomy);
    if (reasoning === false && maxReasoningCharacters !== undefined) {
      throw new OptionError("ClassifierStep", "maxReasoningCharacters", "there is no reasoning to limit", {
        hint: 'leave it out, or set reasoning: "first"',
      });
    }
    const names = taxonomy.map(({ name }) => name);
    const answer = { reasoning, maxReasoningCharacters };
    const schema = classifierOutput(names, { ...answer, onInvalidConfidence });
    const askedSchema = onInvalidConfidence === "null" ? classifierOutput(names, answer) : undefined;
    super({ ...rest, prompt: promptFor(taxonomy), schema, askedSchema });
  }
}

/** The output of a {@link ClassifierStep} in `state.processed`. */
export type ClassifierOutput<
  Name extends string = string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> = z.output<ClassifierSchema<Name, Place, OnInvalid>>;

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

/** `entry` is the position of the category at fault, from 1. */
function wrong(problem: string, facts: ErrorFacts): OptionError {
  return new OptionError("ClassifierStep", "taxonomy", problem, facts);
}

function isFilled(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

function promptFor(taxonomy: readonly Category[]): string {
  const categories = taxonomy.map(({ name, definition, examples = [] }) => {
    const lines = examples.map((example) => `  - example: ${JSON.stringify(example)}`);
    return [`- ${JSON.stringify(name)}: ${definition.trim()}`, ...lines].join("\n");
  });
  return [
    "Classify the text: choose the one category whose definition fits it best.",
    `Categories:\n${categories.join("\n")}`,
    "Use a category's name exactly as it is written. Where several fit, choose the most specific; where none fits " +
      "well, choose the nearest and give a low confidence. A context, if there is one, helps to understand the text.",
  ].join("\n\n");
}
