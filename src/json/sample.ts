import { type JSONSchema, asSchema } from "./json-schema.ts";
import { alternativesOf, typesOf } from "./schema-fields.ts";

/** Deeper than any object that is asked for; a schema that contains itself ends there. */
const deepest = 8;

export interface SampleOptions {
  /** Makes a value where the schema does not say what it is. @default null */
  readonly unknown?: () => unknown;
  /** Which of alternatives, choices, true and false is taken, from 0; `"null"` for null wherever it is allowed. @default 0 */
  readonly variant?: number | "null";
}

/** A value of the kind that a schema describes: every field, one item, and of alternatives one that is not null. Its limits may be broken. */
export function sampleOf(schema: JSONSchema, { unknown = () => null, variant = 0 }: SampleOptions = {}): unknown {
  return sample(schema, { root: schema, unknown, variant }, 0);
}

interface Context extends Required<SampleOptions> {
  readonly root: JSONSchema;
}

function sample(schema: JSONSchema, context: Context, depth: number): unknown {
  const choices = alternativesOf(schema, context.root);
  const { variant } = context;
  if (variant === "null" && choices.some((choice) => typesOf(choice).includes("null"))) return null;
  const place = variant === "null" ? 0 : variant;
  const others = choices.filter((choice) => typesOf(choice).join() !== "null");
  const node = others[place % others.length] ?? {};
  if (node.const !== undefined) return node.const;
  const values = (node.enum ?? []).filter((value) => value !== null);
  if (values.length > 0) return values[place % values.length];
  const types = typesOf(node).filter((type) => type !== "null");
  switch (types[place % types.length]) {
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
      return place % 2 === 0;
    case undefined:
    default:
      return choices.length > 0 && typesOf(node).length > 0 ? null : context.unknown();
  }
}
