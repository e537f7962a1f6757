import { z } from "zod";
import {
  type ClassifierOutputOptions,
  confidenceOf,
  type LabelCounts,
  labelsOf,
  type OnInvalidConfidence,
  type ReasoningPlace,
  withReasoning,
} from "../validation/base-schemas.ts";

type Reasoned<Place extends ReasoningPlace> = Place extends false ? unknown : { reasoning: z.ZodString };

type CodedChoice<Code extends string, OnInvalid extends OnInvalidConfidence> = {
  code: z.ZodType<Code, Code>;
  confidence: OnInvalid extends "null" ? z.ZodNullable<z.ZodNumber> : z.ZodNumber;
};

/** The answer of a model about a taxonomy with codes: one of them, or several labels. */
export type CodedSchema<
  Code extends string,
  Place extends ReasoningPlace,
  OnInvalid extends OnInvalidConfidence,
  Several extends LabelCounts | undefined,
> = z.ZodObject<
  Reasoned<Place> &
    ([Several] extends [undefined]
      ? CodedChoice<Code, OnInvalid>
      : { labels: z.ZodArray<z.ZodObject<CodedChoice<Code, OnInvalid>>> })
>;

/** A code as the output has it. */
export interface CodedLabel<Code extends string, OnInvalid extends OnInvalidConfidence = "fail"> {
  readonly code: Code;
  readonly name: string;
  /** The names from the top to the leaf; empty where none fits. */
  readonly path: readonly string[];
  /** From 0 to 1. Level by level it is the product of those of all levels. */
  readonly confidence: OnInvalid extends "null" ? number | null : number;
}

/** The output of a `ClassifierStep` whose taxonomy has codes. */
export type CodedOutput<
  Code extends string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
  Several extends LabelCounts | undefined = undefined,
> = (Place extends false ? unknown : { readonly reasoning: string }) &
  ([Several] extends [undefined]
    ? CodedLabel<Code, OnInvalid>
    : { readonly labels: readonly CodedLabel<Code, OnInvalid>[] });

/** The schema of an answer, whatever its type parameters: it has those of the fields that are asked for. */
export type CodedAnswerSchema = z.ZodObject<{
  reasoning: z.ZodOptional<z.ZodString>;
  code: z.ZodOptional<z.ZodString>;
  confidence: z.ZodOptional<z.ZodNullable<z.ZodNumber>>;
  /** The next best code, of a question that asks for it. */
  alternative: z.ZodOptional<z.ZodNullable<z.ZodString>>;
  labels: z.ZodOptional<z.ZodArray<z.ZodObject<{ code: z.ZodString; confidence: z.ZodNullable<z.ZodNumber> }>>>;
}>;

export type CodedAnswer = z.output<CodedAnswerSchema>;

export interface CodedSchemaOptions extends ClassifierOutputOptions<ReasoningPlace, OnInvalidConfidence> {
  /** The codes to choose from; undefined where they stand in the user message. */
  readonly codes: readonly string[] | undefined;
  readonly labels?: LabelCounts | undefined;
  /** The most labels where `labels` does not say. */
  readonly mostLabels: number;
  /** True to ask for the next best code, too. @default false */
  readonly hasAlternative?: boolean | undefined;
}

/** The name of the input in which candidates stand. */
export const candidatesInput = "candidates";

/** The schema of an answer: one code, or several labels. */
export function codedSchema(asked: CodedSchemaOptions): CodedAnswerSchema {
  const { codes, labels, mostLabels, hasAlternative = false, ...options } = asked;
  const choice = { code: codeOf(codes), confidence: confidenceOf(options) };
  const { min = 0, max = mostLabels } = labels ?? {};
  const fields =
    labels === undefined
      ? { ...choice, ...(hasAlternative && { alternative: alternativeOf(codes) }) }
      : { labels: labelsOf(z.object(choice), "code", { min, max }) };
  return z.object(withReasoning(fields, options)) as unknown as CodedAnswerSchema; // some of its fields
}

/** A wrong one is none: it is not worth a re-ask. */
function alternativeOf(codes: readonly string[] | undefined): z.ZodType {
  return codeOf(codes).nullable().catch(null).describe("The code of the second best, null if there is none");
}

function codeOf(codes: readonly string[] | undefined): z.ZodEnum | z.ZodString {
  if (codes !== undefined) return z.enum(codes);
  const description = "The code of one of the candidates, exactly as it is written";
  return z.string().meta({ description, choiceOf: candidatesInput });
}
