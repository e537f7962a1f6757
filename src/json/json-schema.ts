import type { z } from "zod";

/** JSON Schema also allows `true` and `false` as schemas, which say nothing that we could use. */
export function asSchema(node: JSONSchema | boolean): JSONSchema {
  return typeof node === "boolean" ? {} : node;
}

/** What a `$ref` stands for: the root, or one of its `$defs`; an empty schema if there is no such. */
export function resolveReference(reference: string, root: JSONSchema): JSONSchema {
  return reference === "#" ? root : (root.$defs?.[reference.replace("#/$defs/", "")] ?? {});
}

/** A JSON Schema, in the strict subset that `validation/strict-schema.ts` makes. */
export type JSONSchema = z.core.JSONSchema.JSONSchema;
