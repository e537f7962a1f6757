import type { FieldLimit } from "../contracts/step.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import type { Issue } from "./issues.ts";
import { withLimits } from "./strict-schema.ts";

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
      if (Object.keys(limit).length > 0) schema = limitField(schema, path, limit);
    }
    this.#made.set(limits, schema);
    return schema;
  }
}

/** The values of an output that their columns can't hold. Of a violation without a line for the model, the detail is sent. */
export function violationsOf(output: unknown, limits: readonly FieldLimit[]): readonly Issue[] {
  return limits.flatMap(({ path, problemOf }) => {
    const problem = problemOf(valueAt(output, path));
    return problem === undefined ? [] : [{ ...problem, path: path.join(".") }];
  });
}

function limitField(schema: JSONSchema, path: readonly string[], limit: Readonly<Record<string, number>>): JSONSchema {
  const [name, ...rest] = path;
  if (name === undefined) return schema.enum === undefined ? withLimits(schema, limit) : schema; // each choice fits
  const field = schema.properties?.[name];
  if (typeof field !== "object") return schema;
  return { ...schema, properties: { ...schema.properties, [name]: limitField(field, rest, limit) } };
}

function valueAt(output: unknown, path: readonly string[]): unknown {
  let value = output;
  for (const name of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}
