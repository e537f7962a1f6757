import { z } from "zod";
import type { JSONSchema } from "../json/json-schema.ts";
import type { RowSchema } from "../contracts/source.ts";

/** A source's row schema as JSON Schema, of the rows that come out of it; undefined if it is not made with Zod. */
export function rowFields(schema: RowSchema<object>): JSONSchema | undefined {
  if (!isZod(schema)) return undefined;
  return z.toJSONSchema(schema, {
    io: "output",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      // What JSON has no type for, as the state's JSON shows it.
      const { type } = zodSchema._zod.def;
      if (type === "date") Object.assign(jsonSchema, { type: "string", format: "date-time" });
      if (type === "bigint") jsonSchema.type = "integer";
    },
  });
}

/** Zod's own copy may be another than ours: it is known by its structure. */
function isZod(schema: object): schema is z.core.$ZodType {
  return "_zod" in schema;
}
