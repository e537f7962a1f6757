import type { ChatMessage } from "../../contracts/provider.ts";
import type { JSONSchema } from "../../json/json-schema.ts";
import { badSchemaReply, errorReply, invalidRequest, unknownFormatReply, type Reply } from "./replies.ts";
import type { SchemaBook } from "./schema-book.ts";

/** The forms of `response_format` in the chat completions API. */
export const responseFormats = ["text", "json_object", "json_schema"] as const;
export type SimulatorResponseFormat = (typeof responseFormats)[number];

/** The schema of an answer, and the part that it has in the prompt. */
export interface AnswerFormat {
  /** The schema of the answer; undefined for plain text. */
  readonly schema: JSONSchema | undefined;
  /** The JSON of the schema as the request has it; empty for plain text. */
  readonly schemaText: string;
  /** The key of the text that a service puts at the beginning of the prompt for `response_format`; 0 for none. */
  readonly schemaKey: number;
  readonly schemaCharacters: number;
}

export interface FormatRules {
  readonly apiVersion: string | undefined;
  readonly schemas: SchemaBook;
  /** The forms that the server knows. @default all, and an unknown one is a mistake of the client's */
  readonly responseFormats?: readonly SimulatorResponseFormat[] | undefined;
  /** False if the model does not see the schema of `response_format`. @default true */
  readonly showsSchema?: boolean | undefined;
}

/** The first dated API with `json_schema` (Azure OpenAI API lifecycle, Microsoft Learn). */
const firstVersionWithSchema = "2024-08-01-preview";

const plainText: AnswerFormat = { schema: undefined, schemaText: "", schemaKey: 0, schemaCharacters: 0 };

/** Reads `response_format`; the reply is that to one which is wrong, or unknown here. */
export function readFormat(
  given: unknown,
  messages: readonly ChatMessage[],
  rules: FormatRules,
): AnswerFormat | { readonly reply: Reply } {
  if (given === undefined || given === null) return writtenFormat(messages, rules.schemas) ?? plainText;
  const type = isObject(given) ? given["type"] : undefined;
  const known: readonly unknown[] | undefined = rules.responseFormats;
  if (known?.includes(type) === false) return { reply: unknownFormatReply(rules.responseFormats ?? [], type) };
  if (type === "text") return plainText;
  if (type === "json_object") return writtenFormat(messages, rules.schemas) ?? anyObject;
  const wrapped = isObject(given) ? given["json_schema"] : undefined;
  if (type !== "json_schema" || !isObject(wrapped)) {
    return {
      reply: invalidRequest("'response_format.type' must be text, json_object or json_schema.", "response_format"),
    };
  }
  if (rules.apiVersion !== undefined && rules.apiVersion < firstVersionWithSchema) {
    const message = `json_schema is available from api-version ${firstVersionWithSchema} on.`;
    return { reply: errorReply(400, { message, code: "BadRequest", param: "response_format" }) };
  }
  return readSchema(wrapped, rules);
}

function readSchema(
  { name, strict, schema }: Readonly<Record<string, unknown>>,
  { schemas, showsSchema = true }: FormatRules,
): AnswerFormat | { readonly reply: Reply } {
  if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) {
    const message = "'response_format.json_schema.name' must be 1 to 64 letters, digits, _ or -.";
    return { reply: invalidRequest(message, "response_format.json_schema.name") };
  }
  const schemaText = JSON.stringify(schema) ?? "";
  const entry = schemas.entry(schemaText, schema);
  const problem = strict === true ? (entry.strictProblem ?? entry.problem) : entry.problem;
  if (problem !== undefined) return { reply: badSchemaReply(`'${name}' ${problem}`) };
  const format = { ...plainText, schema: entry.schema, schemaText };
  return showsSchema ? { ...format, schemaKey: entry.key, schemaCharacters: schemaText.length } : format;
}

const schemaMark = "The JSON Schema of the reply:\n";
const anySchema: JSONSchema = { type: "object", properties: { answer: { type: "string" } } };
/** The format of an answer for which any JSON object will do. */
const anyObject: AnswerFormat = { ...plainText, schema: anySchema, schemaText: JSON.stringify(anySchema) };

/** The schema that a client puts into the system message, for a service that takes no schema otherwise; undefined for none. */
function writtenFormat(messages: readonly ChatMessage[], schemas: SchemaBook): AnswerFormat | undefined {
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  const start = system.lastIndexOf(schemaMark);
  if (start === -1) return undefined;
  const [schemaText = ""] = system.slice(start + schemaMark.length).split("\n", 1); // the form of a reply may follow
  const schema = schemas.parsed(schemaText);
  return schema === undefined ? undefined : { ...plainText, schema, schemaText };
}

/** True if the messages name every field that the schema requires, at any depth: the model then knows what is wanted of it. */
export function namesFields(messages: readonly ChatMessage[], schema: JSONSchema): boolean {
  const texts = messages.map(({ content }) => content);
  return [...requiredIn(schema)].every((name) => {
    const word = new RegExp(String.raw`(?<![\p{L}\p{N}_])${escaped(name)}(?![\p{L}\p{N}_])`, "u");
    return texts.some((text) => word.test(text));
  });
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

/** The names of required fields, those of objects within among them. */
function requiredIn(node: unknown, names = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const item of node) requiredIn(item, names);
  if (!isObject(node)) return names;
  const { required, properties, items, anyOf, $defs: definitions } = node;
  if (Array.isArray(required)) for (const name of required) names.add(String(name));
  for (const child of [properties, definitions]) if (isObject(child)) requiredIn(Object.values(child), names);
  for (const child of [items, anyOf]) requiredIn(child, names);
  return names;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
