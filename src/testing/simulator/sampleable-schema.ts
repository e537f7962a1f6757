import type { JSONSchema } from "../../json/json-schema.ts";
import { limitsIn } from "../../validation/described-limits.ts";

/** A schema that is nested deeper is taken for an attempt to exhaust the stack. */
const maxDepth = 100;

/**
 * Converts a schema into the form that answers are sampled from: limits in the description, `const` as an enum of one value,
 * `oneOf` as `anyOf`, the parts of an `allOf` merged. A schema in the strict subset stays as it is.
 *
 * @throws {RangeError} if the schema is nested more than 100 deep
 */
export function toSampleable(schema: unknown): JSONSchema {
  return convert(schema, 0);
}

const limitKeywords = new Set(
  "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems format".split(
    " ",
  ),
);

function convert(schema: unknown, depth: number): JSONSchema {
  if (depth > maxDepth) throw new RangeError(`a schema may be nested ${maxDepth} deep`);
  if (!isObject(schema)) return { type: "string" }; // `true` allows anything
  const { allOf, ...node } = schema;
  if (Array.isArray(allOf)) return convert(merged([node, ...allOf.filter(isObject)]), depth + 1);
  const { $ref: reference, type, description, required, enum: values, const: constant, items } = node;
  const alternatives = [node["anyOf"], node["oneOf"]].find((list) => Array.isArray(list));
  const definitions = { ...asObject(node["definitions"]), ...asObject(node["$defs"]) };
  const limits = Object.entries(node).filter(([keyword]) => limitKeywords.has(keyword));
  const words = typeof description === "string" ? description : undefined;
  const properties = "properties" in node ? convertAll(asObject(node["properties"]), depth) : undefined;
  const isUnnamed = type === undefined && reference === undefined && alternatives === undefined;
  const converted: Record<string, unknown> = {
    ...(typeof reference === "string" ? { $ref: reference.replace("#/definitions/", "#/$defs/") } : {}),
    ...(type === undefined ? {} : { type }),
    ...(isUnnamed ? { type: properties === undefined ? "string" : "object" } : {}),
    ...(properties === undefined ? {} : { properties }),
    ...(Array.isArray(required) ? { required } : {}),
    ...(items === undefined ? {} : { items: convert(Array.isArray(items) ? items[0] : items, depth + 1) }),
    ...(alternatives === undefined ? {} : { anyOf: alternatives.map((choice: unknown) => convert(choice, depth + 1)) }),
    ...(Array.isArray(values) ? { enum: values } : {}),
    ...(constant === undefined ? {} : { enum: [constant] }),
    ...(words === undefined ? {} : { description: words }),
    ...(limits.length === 0 ? {} : { description: withLimits(words, Object.fromEntries(limits)) }),
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: convertAll(definitions, depth) }),
  };
  return converted; // each part was made above, from the keywords of JSON Schema
}

function convertAll(schemas: Readonly<Record<string, unknown>>, depth: number): Record<string, JSONSchema> {
  return Object.fromEntries(Object.entries(schemas).map(([name, child]) => [name, convert(child, depth + 1)]));
}

function withLimits(description: string | undefined, limits: Readonly<Record<string, unknown>>): string {
  return `${description ?? ""} Limits: ${JSON.stringify({ ...limitsIn(description), ...limits })}`.trim();
}

/** Merges the parts of an `allOf`: their properties and required names together, of other keywords the last. */
function merged(parts: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  const whole: Record<string, unknown> = {};
  for (const part of parts) {
    const { properties, required, ...others } = part;
    Object.assign(whole, others);
    if (isObject(properties)) whole["properties"] = { ...asObject(whole["properties"]), ...properties };
    if (Array.isArray(required)) whole["required"] = [...[whole["required"] ?? []].flat(), ...required];
  }
  return whole;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
