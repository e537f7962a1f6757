import type { z } from "zod";

/** Replaces `true` and `false`, which JSON Schema allows as schemas, by the empty schema. */
export function asSchema(node: JSONSchema | boolean): JSONSchema {
  return typeof node === "boolean" ? {} : node;
}

/** Finds the schema of a `$ref`: the root, or one of its `$defs`; an empty schema if there is none. */
export function resolveReference(reference: string, root: JSONSchema): JSONSchema {
  return reference === "#" ? root : (root.$defs?.[reference.replace("#/$defs/", "")] ?? {});
}

/** A JSON Schema, in the strict subset that `validation/strict-schema.ts` makes. */
export type JSONSchema = z.core.JSONSchema.JSONSchema;

/** The keyword of a schema whose `enum` comes from data: its values are content, and stand in no message. */
export const fromData = "fromData";

/** True for a schema whose choices come from data. */
export function isFromData(schema: JSONSchema): boolean {
  return schema[fromData] === true;
}
