import type { AnyStep } from "../contracts/step.ts";
import { asSchema, isFromData, type JSONSchema } from "../json/json-schema.ts";
import { alternativesOf } from "../json/schema-fields.ts";

/** A field of a step's output, as its schema declares it: no name in it comes from data. */
export interface OutputField {
  /** The output key and the path: `visit_type.category`. */
  readonly column: string;
  readonly outputKey: string;
  readonly path: readonly string[];
  /** The texts that the schema lists; none where it lists none, or they come from data. */
  readonly categories: ReadonlySet<string>;
}

/** Deeper fields are not counted: a schema may contain itself. */
const deepest = 4;

/** The fields of all outputs. Of a step without a schema its whole output is one. */
export function outputFields(
  steps: readonly Pick<AnyStep, "outputKey" | "outputSchema" | "outputFields">[],
): readonly OutputField[] {
  return steps.flatMap(({ outputKey, outputSchema, outputFields: fields = outputSchema }) =>
    fields === undefined ? [fieldOf(outputKey, [], [])] : fieldsIn(outputKey, [], [fields], fields),
  );
}

function fieldsIn(
  outputKey: string,
  path: readonly string[],
  nodes: readonly JSONSchema[],
  root: JSONSchema,
): readonly OutputField[] {
  const choices = nodes.flatMap((node) => alternativesOf(node, root));
  const names = [...new Set(choices.flatMap(({ properties = {} }) => Object.keys(properties)))];
  if (names.length === 0 || path.length === deepest) return [fieldOf(outputKey, path, choices)];
  return names.flatMap((name) => {
    const children = choices.flatMap(({ properties = {} }) => {
      const child = Object.hasOwn(properties, name) ? properties[name] : undefined;
      return child === undefined ? [] : [asSchema(child)];
    });
    return fieldsIn(outputKey, [...path, name], children, root);
  });
}

function fieldOf(outputKey: string, path: readonly string[], choices: readonly JSONSchema[]): OutputField {
  const written = choices.filter((choice) => !isFromData(choice));
  const listed = written.flatMap(
    ({ const: constant, enum: values }) => values ?? (constant === undefined ? [] : [constant]),
  );
  const categories = new Set(listed.filter((value) => typeof value === "string"));
  return { column: [outputKey, ...path].join("."), outputKey, path, categories };
}

/** The value of a field; undefined where an output has none. */
export function fieldValue({ outputKey, path }: OutputField, processed: Readonly<Record<string, unknown>>): unknown {
  let value: unknown = processed[outputKey];
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name]; // it has it
  }
  return value;
}
