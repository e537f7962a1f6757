import { z } from "zod";

/**
 * The base of every output schema: extend it with the fields that you want.
 *
 * `reasoning` is the first field because a model writes the fields in this order, and answers better after it has reasoned.
 */
export const LLMOutputBase: z.ZodObject<{ reasoning: z.ZodString }> = z.object({
  reasoning: z.string().describe("One or two sentences that say why, from the text alone"),
});

/** The output of a `ClassifierStep`: one of `categories`, and the model's own confidence in it, from 0 to 1. */
export function classifierOutput<Category extends string>(
  categories: readonly Category[],
): z.ZodObject<{
  reasoning: z.ZodString;
  category: z.ZodEnum<{ [Name in Category]: Name }>;
  confidence: z.ZodNumber;
}> {
  return LLMOutputBase.extend({
    category: z.enum(categories),
    confidence: z.number().min(0).max(1).describe("How sure you are of the category, from 0 to 1"),
  });
}

export type SummarizerOutput = z.output<typeof SummarizerOutput>;

/** The output of a `SummarizerStep`. */
export const SummarizerOutput: z.ZodObject<{ reasoning: z.ZodString; text: z.ZodString }> = LLMOutputBase.extend({
  text: z.string().min(1).describe("The summary"),
});
