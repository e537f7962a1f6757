import type { z } from "zod";
import type { ErrorFacts } from "../errors/facts.ts";
import { describeType } from "../errors/describe-type.ts";
import { OptionError } from "../errors/option.ts";
import { ignoreRejection } from "../errors/promised.ts";
import {
  classifierOutput,
  type ClassifierOutputOptions,
  type LabelCounts,
  labelsOutput,
  labelWords,
  type OnInvalidConfidence,
  type ReasoningPlace,
} from "../validation/base-schemas.ts";
import { requireLabels } from "./label-counts.ts";

/** A category that is written in the module, without a code. */
export interface Category<Name extends string = string> {
  readonly name: Name;
  /** The texts that belong in the category, and those that do not. */
  readonly definition: string;
  /** Texts of the category. */
  readonly examples?: readonly string[] | undefined;
}

export interface NamedOptions extends ClassifierOutputOptions<ReasoningPlace, OnInvalidConfidence> {
  readonly labels: LabelCounts | undefined;
  readonly none: string | undefined;
}

/** A question about categories, as the options of a step. */
export interface NamedQuestion {
  readonly prompt: string;
  readonly schema: z.ZodObject;
  readonly askedSchema: z.ZodObject | undefined;
}

/** @throws {OptionError} for categories that can't be told apart, and numbers of labels that can't be had */
export function namedQuestion(
  taxonomy: readonly Category[],
  { labels, none, onInvalidConfidence, ...answer }: NamedOptions,
): NamedQuestion {
  requireCategories(taxonomy, none);
  if (labels !== undefined) requireLabels(labels, taxonomy.length);
  const listed = taxonomy.map(({ name }) => name);
  const names = none === undefined ? listed : [...listed, none];
  const schemaOf = (confidence?: OnInvalidConfidence): z.ZodObject => {
    const asked = { ...answer, onInvalidConfidence: confidence };
    return labels === undefined ? classifierOutput(names, asked) : labelsOutput(names, { ...asked, ...labels });
  };
  const askedSchema = onInvalidConfidence === "null" ? schemaOf() : undefined;
  return { prompt: categoriesPrompt(taxonomy, labels, none), schema: schemaOf(onInvalidConfidence), askedSchema };
}

/** @throws {OptionError} for no list of categories, a blank name, definition or example, and a name that occurs twice */
function requireCategories(taxonomy: readonly Category[], none: string | undefined): void {
  if (!Array.isArray(taxonomy)) {
    const facts = { expected: "an array of { name, definition, examples? }", got: describeType(taxonomy) };
    if (!ignoreRejection(taxonomy)) throw wrong("", facts);
    throw wrong("", { ...facts, got: "a promise", hint: "await taxonomyFrom(…)" });
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
  if (none !== undefined && seen.has(none.trim().toLowerCase())) {
    throw new OptionError("ClassifierStep", "none", "", { expected: "a text that is no category", got: "a category" });
  }
}

/** `entry` is the position of the category at fault, from 1. */
function wrong(problem: string, facts: ErrorFacts): OptionError {
  return new OptionError("ClassifierStep", "taxonomy", problem, facts);
}

function isFilled(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

/** The task of choosing one of the categories, or several. */
function categoriesPrompt(
  taxonomy: readonly Category[],
  labels: LabelCounts | undefined,
  none: string | undefined,
): string {
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
  const otherwise =
    none === undefined
      ? "where none fits well, choose the nearest and give a low confidence"
      : `where none fits, choose ${JSON.stringify(none)} and say why`;
  return [
    "Classify the text: choose the one category whose definition fits it best.",
    list,
    `Use a category's name exactly as it is written. Where several fit, choose the most specific; ${otherwise}. ${context}`,
  ].join("\n\n");
}
