import type { FieldType, ValueType } from "../contracts/target.ts";
import { type JSONSchema, asSchema, resolveReference } from "../json/json-schema.ts";
import { anyItem } from "../json/schema-fields.ts";

/** The type of the field that a path leads to; undefined if the schema has no such field. */
export function fieldType(schema: JSONSchema, path: readonly string[]): FieldType | undefined {
  let field = choicesOf(schema, schema);
  for (const name of path) {
    const children = field.choices.flatMap((choice) => childOf(choice, name));
    if (children.length === 0) return undefined;
    const found = children.map((child) => choicesOf(child.schema, schema));
    const isMissing = children.length < field.choices.length || children.some(({ isOptional }) => isOptional);
    field = {
      choices: found.flatMap(({ choices }) => choices),
      isNullable: field.isNullable || isMissing || found.some(({ isNullable }) => isNullable),
    };
  }
  const { choices, isNullable } = field;
  const [first = unknownType("a schema that allows no value"), ...others] = choices.map(typeOf);
  return { type: others.reduce(eitherOf, first), isNullable };
}

/** All that a value may be, null aside: schemas of one type each, without alternatives. */
interface Choices {
  readonly choices: readonly Choice[];
  readonly isNullable: boolean;
}

interface Choice {
  readonly name: unknown;
  readonly node: JSONSchema;
}

function choicesOf(schema: JSONSchema, root: JSONSchema): Choices {
  if (schema.$ref !== undefined) return choicesOf(resolveReference(schema.$ref, root), root);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) {
    const all = alternatives.map((alternative) => choicesOf(asSchema(alternative), root));
    return { choices: all.flatMap(({ choices }) => choices), isNullable: all.some(({ isNullable }) => isNullable) };
  }
  const names: unknown[] = [schema.type].flat(); // a list of types is JSON Schema that Zod's type for it does not foresee
  const choices = names.filter((name) => name !== "null").map((name) => ({ name, node: schema }));
  const allowsNull = names.includes("null") || names.includes(undefined) || (schema.enum?.includes(null) ?? false);
  return { choices, isNullable: allowsNull };
}

const lengthSchema: JSONSchema = { type: "integer", minimum: 0, maximum: 2 ** 31 - 1 };

interface Child {
  readonly schema: JSONSchema;
  readonly isOptional: boolean;
}

function childOf({ name: type, node }: Choice, name: string): readonly Child[] {
  const { properties = {}, required = [] } = node;
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (property !== undefined) return [{ schema: asSchema(property), isOptional: !required.includes(name) }];
  const hasLength = type === "string" || type === "array";
  if (name === "length" && hasLength) return [{ schema: lengthSchema, isOptional: false }];
  if (!/^(?:\d+|\*)$/.test(name) || node.items === undefined || Array.isArray(node.items)) return [];
  return [{ schema: asSchema(node.items), isOptional: name !== anyItem }];
}

function typeOf({ name, node }: Choice): ValueType {
  const values = node.const === undefined ? node.enum : [node.const];
  switch (name) {
    case "string":
      return textType(node, values);
    case "integer":
      return { kind: "integer", ...rangeOf(node, values) };
    case "number": {
      const isWhole = values !== undefined && values.every((value) => value === null || Number.isInteger(value));
      return { kind: isWhole ? "integer" : "number", ...rangeOf(node, values) };
    }
    case "boolean":
      return { kind: "boolean" };
    case "object":
    case "array":
      return { kind: "json" };
    default:
      return unknownType("the schema does not say what it is");
  }
}

function textType({ format, maxLength }: JSONSchema, values: readonly unknown[] | undefined): ValueType {
  if (values !== undefined) {
    const lengths = values.map((value) => (typeof value === "string" ? value.length : 0));
    return { kind: "text", maxLength: Math.max(...lengths), isLimit: false };
  }
  if (format === "date-time") return { kind: "moment", decimals: 7 };
  if (format === "date" || format === "uuid") return { kind: format };
  return { kind: "text", maxLength, isLimit: maxLength !== undefined };
}

function rangeOf(node: JSONSchema, values: readonly unknown[] = []): { minimum: number; maximum: number } {
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length > 0) return { minimum: Math.min(...numbers), maximum: Math.max(...numbers) };
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = node;
  return {
    minimum: Math.max(...[minimum, exclusiveMinimum].filter((bound) => typeof bound === "number")),
    maximum: Math.min(...[maximum, exclusiveMaximum].filter((bound) => typeof bound === "number")),
  };
}

/** The type of values that are of one type or of the other. */
function eitherOf(one: ValueType, other: ValueType): ValueType {
  if (one.kind === "text" && other.kind === "text") {
    const isUnlimited = one.maxLength === undefined || other.maxLength === undefined;
    const maxLength = isUnlimited ? undefined : Math.max(one.maxLength, other.maxLength);
    return { kind: "text", maxLength, isLimit: !isUnlimited && one.isLimit && other.isLimit };
  }
  if (isNumeric(one) && isNumeric(other)) {
    return {
      kind: one.kind === other.kind ? one.kind : "number",
      minimum: Math.min(one.minimum, other.minimum),
      maximum: Math.max(one.maximum, other.maximum),
    };
  }
  return one.kind === other.kind ? one : unknownType("the schema allows values of several types");
}

function isNumeric(type: ValueType): type is Extract<ValueType, { kind: "integer" | "number" }> {
  return type.kind === "integer" || type.kind === "number";
}

export function unknownType(reason: string): ValueType {
  return { kind: "unknown", reason };
}
