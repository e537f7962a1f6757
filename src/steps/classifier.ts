import type { z } from "zod";
import { OptionError } from "../errors/option.ts";
import { checkOptions, isObject } from "../errors/options.ts";
import { classifierOutput } from "../validation/base-schemas.ts";
import { LLMStep, type ModelStepOptions, modelStepChecks } from "./llm-step.ts";

export interface Category<Name extends string = string> {
  readonly name: Name;
  /** What belongs in the category, and what does not. */
  readonly definition: string;
  /** Texts that belong in it. */
  readonly examples?: readonly string[] | undefined;
}

export interface ClassifierStepOptions<State, Key extends string, Name extends string> extends ModelStepOptions<
  State,
  Key,
  "text" | "context"
> {
  /** The categories to choose from; up to about 200 of them fit one step. */
  readonly taxonomy: readonly Category<Name>[];
}

/**
 * Puts each row under exactly one category of the taxonomy.
 *
 * Inputs: `text`, and `context` if there is any. Output: `{ category, confidence, reasoning }`.
 */
export class ClassifierStep<State, const Key extends string, const Name extends string> extends LLMStep<
  State,
  Key,
  ReturnType<typeof classifierOutput<Name>>
> {
  /** @throws {OptionError} for an empty taxonomy, and for a name or a definition that is blank or stands twice */
  constructor(options: ClassifierStepOptions<State, Key, Name>) {
    checkOptions("ClassifierStep", options, { ...modelStepChecks, taxonomy: isObject });
    const { taxonomy, ...rest } = options;
    checkTaxonomy(taxonomy);
    super({ ...rest, prompt: promptFor(taxonomy), schema: classifierOutput(taxonomy.map(({ name }) => name)) });
  }
}

/** What a {@link ClassifierStep} adds to `state.processed`. */
export type ClassifierOutput<Name extends string = string> = z.output<ReturnType<typeof classifierOutput<Name>>>;

function checkTaxonomy(taxonomy: readonly Category[]): void {
  if (!Array.isArray(taxonomy)) refuse("expected an array of { name, definition, examples? }");
  if (taxonomy.length === 0) refuse("expected at least one category, got an empty array");
  const seen = new Map<string, number>();
  for (const [index, category] of taxonomy.entries()) {
    const { name, definition, examples = [] } = category ?? {};
    if (!isFilled(name)) refuse(`entry ${index + 1}: expected a name that is not blank`);
    if (!isFilled(definition)) refuse(`"${name}": expected a definition that is not blank`);
    if (!Array.isArray(examples) || !examples.every(isFilled))
      refuse(`"${name}": expected examples that are not blank`);
    const folded = name.trim().toLowerCase();
    const first = seen.get(folded);
    if (first !== undefined) refuse(`"${name}" stands twice: entries ${first} and ${index + 1}`);
    seen.set(folded, index + 1);
  }
}

function refuse(problem: string): never {
  throw new OptionError("ClassifierStep", "taxonomy", problem);
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
