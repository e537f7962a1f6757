import type { FieldLimit } from "../contracts/step.ts";
import { type JSONSchema, asSchema, resolveReference } from "../json/json-schema.ts";
import { anyItem, itemOf, typesOf } from "../json/schema-fields.ts";
import type { Issue } from "./issues.ts";
import { withLimits } from "./described-limits.ts";

/** Adds the limits of the target's columns to a step's schema: once for each set of limits. */
export class LimitedSchemas {
  readonly #schema: JSONSchema;
  readonly #made = new WeakMap<readonly FieldLimit[], JSONSchema>();

  constructor(schema: JSONSchema) {
    this.#schema = schema;
  }

  /** Undefined if there are no limits. */
  get(limits: readonly FieldLimit[]): JSONSchema | undefined {
    if (limits.length === 0) return undefined;
    const known = this.#made.get(limits);
    if (known !== undefined) return known;
    let schema = this.#schema;
    for (const { path, schema: limit } of limits) {
      if (Object.keys(limit).length > 0) schema = limitField(schema, path, limit, this.#schema);
    }
    this.#made.set(limits, schema);
    return schema;
  }
}

/** The values of an output that their columns can't hold. Of a violation without a line for the model, the detail is sent. */
export function violationsOf(output: unknown, limits: readonly FieldLimit[]): readonly Issue[] {
  return limits.flatMap(({ path, problemOf }) =>
    valuesAt(output, path).flatMap(({ value, place }) => {
      const problem = problemOf(value);
      return problem === undefined ? [] : [{ ...problem, path: place.join(".") }];
    }),
  );
}

type Limit = FieldLimit["schema"];

/** A copy in which the field at the path has the limit, in each alternative that has the field. What is a reference becomes a copy of its own. */
function limitField(node: JSONSchema, path: readonly string[], limit: Limit, root: JSONSchema): JSONSchema {
  if (node.$ref !== undefined) {
    const { $defs: _, ...named } = resolveReference(node.$ref, root);
    return limitField(named, path, limit, root);
  }
  if (node.anyOf !== undefined) {
    const anyOf = node.anyOf.map((choice) => {
      const alternative = asSchema(choice);
      const own = path.length > 0 || alternative.$ref !== undefined ? limit : limitOfTypes(alternative, limit);
      return Object.keys(own).length === 0 ? alternative : limitField(alternative, path, own, root);
    });
    return { ...node, anyOf };
  }
  const [name, ...rest] = path;
  const items = name === anyItem ? itemOf(node) : undefined;
  if (items !== undefined) return { ...node, items: limitField(items, rest, limit, root) };
  if (name === undefined) return node.enum === undefined && node.const === undefined ? limited(node, limit) : node; // each choice fits
  const field = node.properties?.[name];
  if (typeof field !== "object") return node;
  return { ...node, properties: { ...node.properties, [name]: limitField(field, rest, limit, root) } };
}

/** Of a limit the keywords that say something of an alternative. */
function limitOfTypes(alternative: JSONSchema, limit: Limit): Limit {
  if (alternative.anyOf !== undefined) return limit;
  const types = typesOf(alternative);
  const isNumber = types.includes("number") || types.includes("integer");
  const { maxLength, minimum, maximum } = limit;
  const choices = choicesOf(types, limit);
  return {
    ...(types.includes("string") && maxLength !== undefined && { maxLength }),
    ...(isNumber && minimum !== undefined && { minimum }),
    ...(isNumber && maximum !== undefined && { maximum }),
    ...(choices !== undefined && { enum: choices }),
  };
}

/** The choices that a field of these types may be; undefined where there are none, or any. */
function choicesOf(types: readonly string[], { enum: choices = [] }: Limit): Limit["enum"] {
  const found = choices.filter((choice) => {
    if (typeof choice === "string") return types.includes("string");
    return types.includes("number") || (types.includes("integer") && Number.isInteger(choice));
  });
  return found.length === 0 ? undefined : found;
}

/** A field that has no choices of its own, with the limit. */
function limited(node: JSONSchema, limit: Limit): JSONSchema {
  const { enum: _, ...limits } = limit;
  const types = typesOf(node);
  const choices = choicesOf(types, limit);
  const bounded = Object.keys(limits).length === 0 ? node : withLimits(node, limits);
  if (choices === undefined) return bounded;
  return { ...bounded, enum: [...choices, ...(types.includes("null") ? [null] : [])] };
}

/** The value at the path, and its place in the output; with {@link anyItem} in the path, that of each item. */
function valuesAt(
  value: unknown,
  [name, ...rest]: readonly string[],
  place: readonly string[] = [],
): readonly { readonly value: unknown; readonly place: readonly string[] }[] {
  if (name === undefined) return [{ value, place }];
  if (name === anyItem && Array.isArray(value)) {
    return value.flatMap((item, index) => valuesAt(item, rest, [...place, String(index)]));
  }
  const field: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return valuesAt(field, rest, [...place, name]);
}
