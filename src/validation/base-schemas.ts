import { z } from "zod";
import { ContentFreeSentence } from "../errors/broken-rule.ts";

/**
 * The base of every output schema: extend it with the fields that you want.
 *
 * `reasoning` is the first field because a model writes the fields in this order, and answers better after it has reasoned.
 */
export const LLMOutputBase: z.ZodObject<{ reasoning: z.ZodString }> = z.object({
  reasoning: z.string().describe("One or two sentences that say why, from the text alone"),
});

/** The place of the reasoning in an answer: before the category, which it then helps to find, behind it, or nowhere. */
export type ReasoningPlace = "first" | "last" | false;

/** The treatment of a confidence that is invalid: ask again, and fail the row in the end; or keep it with null. */
export type OnInvalidConfidence = "fail" | "null";

type Choice<Category extends string, OnInvalid extends OnInvalidConfidence> = {
  category: z.ZodEnum<{ [Name in Category]: Name }>;
  confidence: OnInvalid extends "null" ? z.ZodNullable<z.ZodNumber> : z.ZodNumber;
};

/** The output of a `ClassifierStep`. */
export type ClassifierSchema<
  Category extends string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> = z.ZodObject<
  Place extends false ? Choice<Category, OnInvalid> : { reasoning: z.ZodString } & Choice<Category, OnInvalid>
>;

export interface ClassifierOutputOptions<
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> {
  /** @default "first" */
  readonly reasoning?: Place | undefined;
  /** The most characters (UTF-16 units) of the reasoning. @default no limit */
  readonly maxReasoningCharacters?: number | undefined;
  /** With `"null"` the confidence may be null. @default "fail" */
  readonly onInvalidConfidence?: OnInvalid | undefined;
}

/** The output of a `ClassifierStep`: one of `categories`, and the model's own confidence in it, from 0 to 1. */
export function classifierOutput<
  Category extends string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
>(
  categories: readonly Category[],
  options: ClassifierOutputOptions<Place, OnInvalid> = {},
): ClassifierSchema<Category, Place, OnInvalid> {
  const fields = withReasoning(choiceOf(categories, options), options);
  return z.object(fields) as unknown as ClassifierSchema<Category, Place, OnInvalid>; // known when it is called
}

type ConfidenceOptions = Pick<ClassifierOutputOptions<ReasoningPlace, OnInvalidConfidence>, "onInvalidConfidence">;

function choiceOf<Category extends string>(categories: readonly Category[], options: ConfidenceOptions) {
  return { category: z.enum(categories), confidence: confidenceOf(options) };
}

export function confidenceOf({ onInvalidConfidence }: ConfidenceOptions): z.ZodNumber | z.ZodNullable<z.ZodNumber> {
  const confidence = z.number().min(0).max(1).describe("How sure you are of the category, from 0 to 1");
  return onInvalidConfidence === "null" ? confidence.nullable() : confidence;
}

export function withReasoning(
  fields: z.core.$ZodShape,
  { reasoning: place, maxReasoningCharacters: most }: ClassifierOutputOptions<ReasoningPlace, OnInvalidConfidence>,
): z.core.$ZodShape {
  const { shape } = LLMOutputBase;
  const { description = "" } = shape.reasoning;
  const reasoning = most === undefined ? shape.reasoning : z.string().max(most).describe(description);
  return place === false ? fields : place === "last" ? { ...fields, reasoning } : { reasoning, ...fields };
}

/** The number of labels of a row. */
export interface LabelCounts {
  /** From 0 up. @default 0 */
  readonly min?: number | undefined;
  /** From 1 up, and no more than there are categories. @default the number of categories */
  readonly max?: number | undefined;
}

/** Their number in words for a model. */
export function labelWords({ min = 0, max }: LabelCounts): string {
  if (min === max) return `exactly ${min} ${min === 1 ? "label" : "labels"}`;
  if (max === undefined) return min === 0 ? "as many labels as fit" : `at least ${min} labels`;
  return min === 0 ? `at most ${max} labels` : `${min} to ${max} labels`;
}

/** The output of a `ClassifierStep` with several labels. */
export type LabelsSchema<
  Category extends string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> = z.ZodObject<
  (Place extends false ? unknown : { reasoning: z.ZodString }) & {
    labels: z.ZodArray<z.ZodObject<Choice<Category, OnInvalid>>>;
  }
>;

/** The output of a `ClassifierStep` with several labels: some of `categories`, none twice, each with the model's own confidence in it. */
export function labelsOutput<
  Category extends string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
>(
  categories: readonly Category[],
  { min = 0, max = categories.length, ...options }: ClassifierOutputOptions<Place, OnInvalid> & LabelCounts = {},
): LabelsSchema<Category, Place, OnInvalid> {
  const labels = labelsOf(z.object(choiceOf(categories, options)), "category", { min, max });
  return z.object(withReasoning({ labels }, options)) as unknown as LabelsSchema<Category, Place, OnInvalid>; // known when it is called
}

/** A list of labels, no two of which have the same value in the field `key`. */
export function labelsOf<Label extends z.ZodObject>(
  label: Label,
  key: "category" | "code",
  { min, max }: Readonly<Record<"min" | "max", number>>,
): z.ZodArray<Label> {
  return z
    .array(label)
    .min(min)
    .max(max)
    .check(({ value, issues }) => {
      const seen = new Set<unknown>();
      for (const [index, item] of value.entries()) {
        const chosen: unknown = Object(item)[key];
        if (seen.has(chosen)) {
          const message = `must be another ${key} than the labels before it`;
          issues.push({
            code: "custom",
            message,
            input: chosen,
            path: [index, key],
            params: new ContentFreeSentence(message),
          });
        }
        seen.add(chosen);
      }
    })
    .describe("The categories of the text, the surest first, none twice");
}

export type SummarizerOutput = z.output<typeof SummarizerOutput>;

/** The output of a `SummarizerStep`. */
export const SummarizerOutput: z.ZodObject<{ reasoning: z.ZodString; text: z.ZodString }> = LLMOutputBase.extend({
  text: z.string().min(1).describe("The summary"),
});
