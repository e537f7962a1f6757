import { z } from "zod";
import { SchemaError } from "../errors/option.ts";

/**
 * Tries a schema on a made-up answer: the first real one would show only after it was paid for that the schema is asynchronous.
 *
 * @throws {SchemaError} for an asynchronous schema
 */
export function rejectAsynchronous(schema: z.ZodObject, madeUp: unknown): void {
  try {
    parseNow(schema, madeUp);
  } catch (error) {
    // A check that throws at a made-up answer may be right about those of a model.
    if (error instanceof SchemaError) throw error;
  }
}

/** @throws {SchemaError} for an asynchronous schema: a step can't wait for its result */
export function parseNow<Schema extends z.ZodObject>(
  schema: Schema,
  value: unknown,
): z.ZodSafeParseResult<z.output<Schema>> {
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (!(error instanceof z.core.$ZodAsyncError)) throw error;
    const remedy = "make it synchronous, and do what has to be awaited in a TransformStep behind this step";
    throw new SchemaError("", "a refinement or transform of it is asynchronous", remedy, { type: "asynchronous" });
  }
}
