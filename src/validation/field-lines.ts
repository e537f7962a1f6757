/**
 * The words about a schema for a model whose service does not show it the schema. They are part of requests: a change of them asks
 * anew for what was paid for, so they change with a reason only.
 */
import { asSchema, type JSONSchema, resolveReference } from "../json/json-schema.ts";
import { typesOf } from "../json/schema-fields.ts";
import { formatWords, limitWords } from "./limit-words.ts";
import { limitsIn, ownWordsOf } from "./described-limits.ts";

/** A field, or an alternative, that is described where it stands. */
interface Part {
  readonly node: JSONSchema;
  readonly root: JSONSchema;
  /** The text before these lines: choices that it names are not named again. */
  readonly shown: string;
  /** The schemas around it: one that contains itself is described once. */
  readonly above: readonly JSONSchema[];
  readonly indent: string;
}

/** One line for each field of the reply: its name, its type with its limits in words, and its meaning. `shown` is the text before them. */
export function fieldLines(schema: JSONSchema, shown: string): string {
  const lines = linesOf({ node: schema, root: schema, shown, above: [], indent: "" });
  const hasReasoning = Object.hasOwn(schema.properties ?? {}, "reasoning");
  // A small model that is told no end to it goes round in circles.
  const shortness = hasReasoning ? ["Keep reasoning short: one sentence is enough."] : [];
  // Without the second sentence a model of 270 million parameters wrote the meaning of a field as its value.
  const head = "The reply has these fields, in this order. Fill in each of them from the user message:";
  return [head, ...lines, ...shortness].join("\n");
}

/** The form of a reply, with a stand-in for each value: `{"reasoning": "…", "category": "<a name>", "confidence": 0.0}`. */
export function replySkeleton(schema: JSONSchema): string {
  return skeletonOf(schema, schema, []);
}

function linesOf(part: Part): readonly string[] {
  const { node, root, above, indent } = part;
  const lines: string[] = [];
  for (const [name, property] of Object.entries(node.properties ?? {})) {
    const field: Part = { ...part, node: resolved(asSchema(property), root), above: [...above, node] };
    const meaning = meaningOf(asSchema(property)) || meaningOf(field.node);
    lines.push(`${indent}- ${name}: ${typeWords(field)}${meaning === "" ? "" : `. ${meaning}`}`);
    lines.push(...linesWithin({ ...field, indent: `${indent}  ` }));
  }
  return lines;
}

/** The lines about the objects that a value may be, or have in its list. */
function linesWithin(part: Part): readonly string[] {
  const { node, root, above } = part;
  if (above.includes(node)) return [];
  const deeper = { ...part, above: [...above, node] };
  if (node.anyOf !== undefined) {
    const objects = node.anyOf.map((choice) => resolved(asSchema(choice), root)).filter(({ properties }) => properties);
    if (objects.length < 2) return objects.flatMap((object) => linesWithin({ ...deeper, node: object }));
    const forms = objects.map((object, index) => {
      const lines = linesWithin({ ...deeper, node: object, indent: `${part.indent}  ` });
      return [`${part.indent}${index === 0 ? "either" : "or"} an object with:`, lines].flat();
    });
    return forms.flat();
  }
  const { items } = node;
  if (items !== undefined && !Array.isArray(items)) {
    return linesWithin({ ...deeper, node: resolved(asSchema(items), root) });
  }
  return linesOf(part);
}

/** A value in words: its type and its limits. */
function typeWords(part: Part): string {
  const { node, root, above } = part;
  if (node.anyOf !== undefined) {
    return alternativeWords(node.anyOf.map((one) => typeWords({ ...part, node: resolved(asSchema(one), root) })));
  }
  if (node.enum !== undefined) return choiceWords(part);
  const limits = limitsIn(node.description);
  const { format } = limits;
  const words = typesOf(node).map((type) => {
    if (type === "string") return typeof format === "string" ? formatWords(format) : "text";
    if (type === "array") return "a list";
    if (type === "object") return above.includes(node) ? "an object like the one around it" : "an object";
    return plainTypes[type] ?? type;
  });
  return [alternativeWords(words), ...limitWords(limits), ...itemWords(part)].join(", ");
}

const plainTypes: Readonly<Record<string, string>> = {
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  null: "null",
};

/** Null comes last. */
function alternativeWords(words: readonly string[]): string {
  const others = [...new Set(words)].filter((one) => one !== "null").join(" or ");
  if (!words.includes("null")) return others;
  return others === "" ? "null" : `${others}, or null`;
}

function itemWords(part: Part): readonly string[] {
  const { items } = part.node;
  if (items === undefined || Array.isArray(items)) return [];
  return [`each ${typeWords({ ...part, node: resolved(asSchema(items), part.root) })}`];
}

function choiceWords({ node: { enum: choices = [] }, shown }: Part): string {
  const json = choices.map((choice) => JSON.stringify(choice));
  if (json.length === 1) return `always ${json[0]}`;
  const names = json.filter((choice) => choice !== "null");
  const areShown = names.length > 1 && names.every((name) => name.startsWith('"') && shown.includes(name));
  const words = areShown ? "one of the names above, exactly as it is written" : `one of ${names.join(", ")}`;
  return alternativeWords([words, ...(names.length < json.length ? ["null"] : [])]);
}

/** The user's own words about it, on one line. */
function meaningOf({ description }: JSONSchema): string {
  return ownWordsOf(description).replaceAll(/\s+/g, " ");
}

function resolved(node: JSONSchema, root: JSONSchema): JSONSchema {
  return node.$ref === undefined ? node : resolveReference(node.$ref, root);
}

function skeletonOf(given: JSONSchema, root: JSONSchema, above: readonly JSONSchema[]): string {
  const node = resolved(given, root);
  if (above.includes(node)) return "null";
  const within = [...above, node];
  if (node.anyOf !== undefined) {
    const choices = node.anyOf.map((choice) => resolved(asSchema(choice), root));
    return skeletonOf(choices.find(({ type }) => type !== "null") ?? {}, root, within);
  }
  if (node.enum?.length === 1) return JSON.stringify(node.enum[0]);
  const type = typesOf(node).find((name) => name !== "null");
  if (node.enum !== undefined && type === "string") return '"<a name>"';
  if (node.enum !== undefined) return JSON.stringify(node.enum[0]);
  if (type === "object") {
    const fields = Object.entries(node.properties ?? {});
    const parts = fields.map(
      ([name, field]) => `${JSON.stringify(name)}: ${skeletonOf(asSchema(field), root, within)}`,
    );
    return `{${parts.join(", ")}}`;
  }
  const { items } = node;
  if (type === "array")
    return items === undefined || Array.isArray(items) ? "[]" : `[${skeletonOf(asSchema(items), root, within)}]`;
  const { format } = limitsIn(node.description);
  if (type === "string") return typeof format === "string" ? `"<${format}>"` : '"…"';
  return standIns[type ?? "null"] ?? "null";
}

const standIns: Readonly<Record<string, string>> = { integer: "0", number: "0.0", boolean: "false" };
