import { z } from "zod";

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
  const { reasoning: place, maxReasoningCharacters: most, onInvalidConfidence } = options;
  const confidence = z.number().min(0).max(1).describe("How sure you are of the category, from 0 to 1");
  const choice = {
    category: z.enum(categories),
    confidence: onInvalidConfidence === "null" ? confidence.nullable() : confidence,
  };
  const { shape } = LLMOutputBase;
  const { description = "" } = shape.reasoning;
  const reasoning = most === undefined ? shape.reasoning : z.string().max(most).describe(description);
  const fields = place === false ? choice : place === "last" ? { ...choice, reasoning } : { reasoning, ...choice };
  return z.object(fields) as unknown as ClassifierSchema<Category, Place, OnInvalid>; // known when it is called
}

export type SummarizerOutput = z.output<typeof SummarizerOutput>;

/** The output of a `SummarizerStep`. */
export const SummarizerOutput: z.ZodObject<{ reasoning: z.ZodString; text: z.ZodString }> = LLMOutputBase.extend({
  text: z.string().min(1).describe("The summary"),
});
