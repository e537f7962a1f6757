import type { z } from "zod";
import { checkOptions } from "../errors/options.ts";
import { LLMOutputBase } from "../validation/base-schemas.ts";
import { isObjectSchema, toStrictSchema } from "../validation/strict-schema.ts";
import { LLMStep, type ModelStepOptions, modelStepChecks } from "./llm-step.ts";

/** The schema of an answer: reasoning, and then the fields. */
type Extracted<Shape extends z.core.$ZodShape> = z.ZodObject<z.util.Extend<typeof LLMOutputBase.shape, Shape>>;

export interface ExtractorStepOptions<
  State,
  Key extends string,
  Shape extends z.core.$ZodShape,
  Applies extends boolean = never,
> extends ModelStepOptions<State, Key, "text" | "context", Applies, z.input<Extracted<NoInfer<Shape>>>> {
  /** The fields to find. `.describe()` explains a field to the model; `.nullable()` lets the model answer "not there". */
  readonly schema: z.ZodObject<Shape>;
}

/**
 * Finds the fields of a Zod object schema in each row.
 *
 * Inputs: `text`, and optionally `context`. Output: the schema's fields, and `reasoning`.
 */
export class ExtractorStep<
  State,
  const Key extends string,
  Shape extends z.core.$ZodShape,
  Applies extends boolean = never,
> extends LLMStep<State, Key, Extracted<Shape>, Applies> {
  /**
   * @throws {OptionError} for an option that is unknown or has a wrong value
   * @throws {SchemaError} for a schema that no model can be asked for
   */
  constructor(options: ExtractorStepOptions<State, Key, Shape, Applies>) {
    checkOptions("ExtractorStep", options, { ...modelStepChecks, schema: isObjectSchema });
    toStrictSchema(options.schema);
    super({ ...options, prompt, schema: withReasoning(options.schema) });
  }
}

/** Adds `reasoning` before the schema's fields, and keeps its strictness, refinements and description. */
function withReasoning<Shape extends z.core.$ZodShape>(schema: z.ZodObject<Shape>): Extracted<Shape> {
  const { catchall, checks = [] } = schema._zod.def;
  const extended = LLMOutputBase.extend(schema.shape);
  const closed = catchall?._zod.def.type === "never" ? extended.strict() : extended;
  // The schema's own refinements were written for its fields, which are all in the extended schema too.
  const checked = closed.check(...(checks as never[]));
  return schema.description === undefined ? checked : checked.describe(schema.description);
}

const prompt =
  "Find in the text what the fields of the schema ask for. Take values from the text (a context, if there is one, helps " +
  "to understand it); invent nothing. Where the text does not say, give null if the field allows it.";
