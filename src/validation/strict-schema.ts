import { z } from "zod";
import { SchemaError } from "../errors/option.ts";
import type { OptionCheck } from "../errors/options.ts";
import { type JSONSchema, asSchema, resolveReference } from "../json/json-schema.ts";
import { describedWith } from "./described-limits.ts";

/** A Zod object schema in the form that a service enforces, and the way back to Zod. */
export interface StrictSchema {
  /** The strict subset: closed objects, every field required, no keyword but those that every service enforces. */
  readonly json: JSONSchema;
  /** The schema before it is made strict: with the limits as keywords, and optional fields not required. */
  readonly full: JSONSchema;
  /** Removes the nulls of absent optional fields from an answer, for Zod. */
  readonly undoNulls: (answer: unknown) => unknown;
}

/** The check of an option that holds a Zod object schema. */
export const isObjectSchema: OptionCheck = {
  expected: "a Zod object schema, z.object({ … })",
  fits: (value) => value instanceof z.ZodObject,
  required: true,
};

/**
 * Turns Zod into the strict subset of JSON Schema that Azure OpenAI enforces (Microsoft Learn, "Structured outputs":
 * at most 100 properties and 5 levels; https://learn.microsoft.com/azure/ai-foundry/openai/how-to/structured-outputs).
 * A limit that the subset has no keyword for (`maximum`, `maxLength`, …) goes into the field's description as
 * `Limits: {"maximum":1}`; the answer is checked against it all the same.
 *
 * @throws {SchemaError} for a type that the subset can't express, with its path and a remedy
 */
export function toStrictSchema(schema: z.ZodObject): StrictSchema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: rejectUnsupported,
  });
  // A schema with an id is a reference at its root, but services want the object itself.
  const { $ref: reference, $defs = {} } = converted;
  const full: JSONSchema = reference === undefined ? converted : { ...resolveReference(reference, converted), $defs };
  const size: Size = { properties: 0, enumValues: 0 };
  const json = toStrict(full, [], 1, size);
  if (full.$defs !== undefined) {
    json.$defs = mapValues(full.$defs, (definition, name) => toStrict(definition, ["$defs", name], 1, size));
  }
  rejectOversize(size);
  return { json, full, undoNulls: (answer) => undoNulls(answer, full, full) };
}

/** Figures of "Structured outputs" (see above) and, for enums, of OpenAI's page of the same name. */
const maxProperties = 100;
const maxLevels = 5;
const maxEnumValues = 1000;
const maxLargeEnumCharacters = 15_000;
/** An enum of so many values may be as long as it likes. */
const largestUnlimitedEnum = 250;

/** True if a schema may list these values: each of them so many times. */
export function fitsEnum(values: readonly string[], times = 1): boolean {
  if (values.length * times > maxEnumValues) return false;
  return values.length <= largestUnlimitedEnum || values.join("").length <= maxLargeEnumCharacters;
}

const kept = new Set(["type", "properties", "required", "items", "anyOf", "enum", "$ref", "description"]);
const dropped = new Set(["title", "default", "examples", "deprecated", "readOnly", "writeOnly", "id", "$defs", "$id"]);
const rewritten = new Set(["const", "oneOf", "additionalProperties"]);

const remedies: Readonly<Record<string, string>> = {
  any: "say what it is, for example z.string()",
  bigint: "use z.string() with a pattern of digits",
  custom: "use a Zod type with a JSON form, and .refine() for the rest",
  date: "use z.iso.date() or z.iso.datetime()",
  file: "use z.string()",
  function: "use a Zod type with a JSON form",
  intersection: "merge the two objects with .extend()",
  map: "use an array of objects with a key and a value",
  nan: "use z.number().nullable()",
  never: "leave the field out",
  promise: "use the type that it resolves to",
  record: "use an array of objects with a key and a value",
  set: "use z.array()",
  symbol: "use z.enum()",
  transform: "put the Zod type that the model is to fill in before the transform",
  tuple: "use an object with a named field for each place",
  undefined: "use .optional()",
  unknown: "say what it is, for example z.string()",
  void: "use .optional()",
};

interface Size {
  properties: number;
  enumValues: number;
}

interface OverrideContext {
  readonly zodSchema: z.core.$ZodTypes;
  readonly path: (string | number)[];
}

/** Called by Zod for each type that it converts. */
function rejectUnsupported({ zodSchema, path }: OverrideContext): void {
  const { def } = zodSchema._zod;
  const remedy = remedies[def.type];
  if (path.at(-1) === "additionalProperties" && def.type !== "never") throw unnamedFields(path);
  if (remedy !== undefined) {
    const type = `z.${def.type}()`;
    throw new SchemaError(pathText(path), `${type} can't be asked of a model`, remedy, { type });
  }
  if (def.type === "object" && def.catchall !== undefined && def.catchall._zod.def.type !== "never") {
    throw unnamedFields(path);
  }
}

function unnamedFields(path: readonly (string | number)[]): SchemaError {
  const problem = "a record or an object with unnamed fields can't be asked of a model";
  const remedy = "name every field, or use an array of objects with a key and a value";
  return new SchemaError(pathText(path), problem, remedy, { type: "unnamed fields" });
}

/** The path in the data, from a path in the JSON Schema. */
function pathText(path: readonly (string | number)[]): string {
  const names = path.flatMap((part, index) => {
    if (part === "items") return ["[]"];
    return path[index - 1] === "properties" || path[index - 1] === "$defs" ? [String(part)] : [];
  });
  return names.join(".").replaceAll(".[]", "[]");
}

function toStrict(node: JSONSchema, path: readonly string[], level: number, size: Size): JSONSchema {
  const strict: JSONSchema = {};
  const limits: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(node)) {
    if (kept.has(keyword)) strict[keyword] = value;
    else if (!dropped.has(keyword) && !rewritten.has(keyword) && !isNoise(keyword, node)) limits[keyword] = value;
  }
  if (node.const !== undefined) strict.enum = [node.const];
  if (strict.enum !== undefined) strict.type ??= typesOf(strict.enum);
  const alternatives = node.anyOf ?? node.oneOf;
  if (alternatives !== undefined) {
    strict.anyOf = alternatives.map((choice) => toStrict(asSchema(choice), path, level, size));
  }
  if (node.items !== undefined && !Array.isArray(node.items)) {
    strict.items = toStrict(asSchema(node.items), [...path, "items"], level, size);
  }
  if (node.type === "object") closeObject(strict, node, path, level, size);
  if (strict.enum !== undefined) countEnum(strict.enum, path, size);
  if (Object.keys(limits).length > 0) {
    strict.description = describedWith(node.description ?? "", limits);
  }
  return strict;
}

/** Keywords that Zod adds by itself and that say nothing to a model: the range of a safe integer, a format's regex. */
function isNoise(keyword: string, node: JSONSchema): boolean {
  if (keyword === "minimum") return node.minimum === Number.MIN_SAFE_INTEGER;
  if (keyword === "maximum") return node.maximum === Number.MAX_SAFE_INTEGER;
  return keyword === "pattern" && node.format !== undefined;
}

function closeObject(strict: JSONSchema, node: JSONSchema, path: readonly string[], level: number, size: Size): void {
  if (level > maxLevels) {
    const facts = { expected: `at most ${maxLevels} levels`, got: "more" };
    throw new SchemaError(pathText(path), "objects are nested too deep", "flatten them", facts);
  }
  const properties = node.properties ?? {};
  size.properties += Object.keys(properties).length;
  strict.properties = mapValues(properties, (property, name) => {
    const child = toStrict(property, [...path, "properties", name], level + 1, size);
    return node.required?.includes(name) === true ? child : orNull(child);
  });
  strict.required = Object.keys(properties);
  strict.additionalProperties = false;
}

/** The types of an enum that mixes them, for which Zod gives none. */
function typesOf(values: readonly unknown[]): "string" {
  const types = [...new Set(values.map((value) => (value === null ? "null" : typeof value)))];
  return types as unknown as "string"; // like any list of types, see orNull
}

function orNull(node: JSONSchema): JSONSchema {
  if (admitsNull(node)) return node;
  if (node.anyOf !== undefined) return { ...node, anyOf: [...node.anyOf, { type: "null" }] };
  if (node.$ref !== undefined) return { anyOf: [node, { type: "null" }] };
  // "null" in a list of types is JSON Schema that Zod's own type for `type` (one word) does not foresee.
  const type = [node.type, "null"].flat() as unknown as "null";
  return { ...node, type, ...(node.enum === undefined ? {} : { enum: [...node.enum, null] }) };
}

function admitsNull(node: JSONSchema): boolean {
  const types: unknown = node.type;
  if (types === "null" || (Array.isArray(types) && types.includes("null"))) return true;
  return (node.anyOf ?? node.oneOf)?.some((choice) => admitsNull(asSchema(choice))) ?? false;
}

function countEnum(values: readonly unknown[], path: readonly string[], size: Size): void {
  size.enumValues += values.length;
  const length = values.join("").length;
  if (values.length > largestUnlimitedEnum && length > maxLargeEnumCharacters) {
    const facts = { expected: `at most ${maxLargeEnumCharacters} characters`, got: length, values: values.length };
    const problem = `the ${values.length} values of an enum are too long together`;
    throw new SchemaError(pathText(path), problem, "shorten the values, or classify in two steps", facts);
  }
}

function rejectOversize({ properties, enumValues }: Size): void {
  if (properties > maxProperties) {
    const facts = { expected: `at most ${maxProperties}`, got: properties };
    throw new SchemaError("", "it has too many fields", "split them over two steps", facts);
  }
  if (enumValues > maxEnumValues) {
    const facts = { expected: `at most ${maxEnumValues}`, got: enumValues };
    throw new SchemaError("", "its enums have too many values", "classify in two steps", facts);
  }
}

/** Removes the nulls of absent optional fields. If a field may be null as well, its null stays. */
function undoNulls(answer: unknown, node: JSONSchema, root: JSONSchema): unknown {
  if (typeof answer !== "object" || answer === null) return answer;
  if (node.$ref !== undefined) return undoNulls(answer, resolveReference(node.$ref, root), root);
  const alternatives = node.anyOf ?? node.oneOf;
  if (alternatives !== undefined) {
    const candidates = alternatives.map(asSchema).filter((candidate) => couldBe(answer, candidate, root));
    const choice = candidates.find((candidate) => hasFieldsOf(answer, candidate, root)) ?? candidates[0];
    return choice === undefined ? answer : undoNulls(answer, choice, root);
  }
  if (Array.isArray(answer)) {
    const items = asSchema(Array.isArray(node.items) ? {} : (node.items ?? {}));
    return answer.map((item) => undoNulls(item, items, root));
  }
  if (Object.values(answer).every((value) => typeof value !== "object")) return answer; // nor null: as most answers
  const entries = Object.entries(answer).flatMap(([name, value]): [string, unknown][] => {
    const property = node.properties?.[name];
    if (property === undefined) return [[name, value]];
    const isAbsent = value === null && node.required?.includes(name) !== true && !admitsNull(asSchema(property));
    return isAbsent ? [] : [[name, undoNulls(value, asSchema(property), root)]];
  });
  return Object.fromEntries(entries);
}

/** True for an answer that is meant as this alternative: an array, or an object whose constant fields agree. */
function couldBe(answer: object, node: JSONSchema, root: JSONSchema): boolean {
  if (node.$ref !== undefined) return couldBe(answer, resolveReference(node.$ref, root), root);
  if (Array.isArray(answer)) return node.type === "array";
  if (node.type !== "object") return false;
  const fields = new Map(Object.entries(answer));
  return Object.entries(node.properties ?? {}).every(([name, property]) => {
    const constant = asSchema(property).const;
    return constant === undefined || constant === fields.get(name);
  });
}

/** True for an answer with exactly the fields of this alternative: a closed object has them all. */
function hasFieldsOf(answer: object, node: JSONSchema, root: JSONSchema): boolean {
  if (node.$ref !== undefined) return hasFieldsOf(answer, resolveReference(node.$ref, root), root);
  const names = Object.keys(node.properties ?? {});
  return names.length === Object.keys(answer).length && names.every((name) => Object.hasOwn(answer, name));
}

function mapValues(
  object: Readonly<Record<string, JSONSchema | boolean>>,
  map: (value: JSONSchema, name: string) => JSONSchema,
): Record<string, JSONSchema> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(asSchema(value), name)]));
}
