import { type JSONSchema, asSchema } from "./json-schema.ts";
import { alternativesOf, typesOf } from "./schema-fields.ts";

/** Deeper than any object that is asked for; a schema that contains itself ends there. */
const deepest = 8;

/**
 * A value of the kind that a schema describes: of alternatives the first that is not null, every field, one item. Its limits may be broken.
 * `unknown` makes one where the schema does not say what it is.
 */
export function sampleOf(schema: JSONSchema, unknown: () => unknown = () => null): unknown {
  return sample(schema, { root: schema, unknown }, 0);
}

interface Context {
  readonly root: JSONSchema;
  readonly unknown: () => unknown;
}

function sample(schema: JSONSchema, context: Context, depth: number): unknown {
  const choices = alternativesOf(schema, context.root);
  const node = choices.find((choice) => typesOf(choice).join() !== "null") ?? {};
  if (node.const !== undefined) return node.const;
  const choice = node.enum?.find((value) => value !== null);
  if (choice !== undefined) return choice;
  switch (typesOf(node).find((type) => type !== "null")) {
    case "object": {
      const fields = depth > deepest ? [] : Object.entries(node.properties ?? {});
      return Object.fromEntries(fields.map(([name, field]) => [name, sample(asSchema(field), context, depth + 1)]));
    }
    case "array":
      if (depth > deepest || node.items === undefined || Array.isArray(node.items)) return [];
      return [sample(asSchema(node.items), context, depth + 1)];
    case "string":
      return node.format === "date-time" ? "2026-01-01T00:00:00.000Z" : node.format === "date" ? "2026-01-01" : "x";
    case "number":
    case "integer":
      return typeof node.minimum === "number" ? node.minimum : 1;
    case "boolean":
      return true;
    case undefined:
    default:
      return choices.length > 0 && typesOf(node).length > 0 ? null : context.unknown();
  }
}
