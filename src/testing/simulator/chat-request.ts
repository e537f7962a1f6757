import type { ChatMessage } from "../../contracts/provider.ts";
import type { JSONSchema } from "../../json/json-schema.ts";
import { badSchemaReply, errorReply, invalidRequest, type Reply } from "./replies.ts";
import { keyOf } from "./request-hash.ts";
import type { SchemaBook } from "./schema-book.ts";

/** A request for a chat completion, parsed and checked. */
export interface ChatRequest {
  readonly deployment: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The messages, with the roles system (which includes developer), user and assistant (which includes tool). */
  readonly messages: readonly ChatMessage[];
  /** The schema of the answer; undefined for plain text. */
  readonly schema: JSONSchema | undefined;
  /** The key of the schema's text in the request. A service puts that text at the beginning of the prompt. */
  readonly schemaKey: number;
  readonly schemaCharacters: number;
  readonly messageCharacters: number;
  readonly maxTokens: number | undefined;
}

export interface ReadingRules {
  /** The deployment in the path; undefined if the body's `model` names it. */
  readonly deployment: string | undefined;
  readonly apiVersion: string | undefined;
  readonly reasoning: boolean;
  readonly schemas: SchemaBook;
}

export type ChatReading =
  | { readonly ok: true; readonly request: ChatRequest }
  | { readonly ok: false; readonly reply: Reply };

/** The first dated API with `json_schema` (Azure OpenAI API lifecycle, Microsoft Learn). */
const firstVersionWithSchema = "2024-08-01-preview";
const rejectedByReasoning = ["temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs"];

/** Reads a body with the checks and the error replies of a service. Unknown parameters are ignored. */
export function readChatRequest(bytes: Buffer, rules: ReadingRules): ChatReading {
  const body = parseObject(bytes);
  if (body === undefined) return rejected(invalidRequest("The body is not a JSON object.", null));
  const { model } = body;
  const deployment = rules.deployment ?? model;
  if (typeof deployment !== "string" || deployment === "") {
    return rejected(invalidRequest("You must provide a model parameter.", "model"));
  }
  const messages = readMessages(body["messages"]);
  if (typeof messages === "string") return rejected(invalidRequest(messages, "messages"));
  const parameterReply = replyToParameters(body, rules.reasoning);
  if (parameterReply !== undefined) return rejected(parameterReply);
  const format = readFormat(body["response_format"], messages, rules);
  if ("reply" in format) return rejected(format.reply);
  const maxTokens = body["max_completion_tokens"] ?? body["max_tokens"];
  let messageCharacters = 0;
  for (const { content } of messages) messageCharacters += content.length;
  const request: ChatRequest = {
    deployment,
    body,
    messages,
    ...format,
    messageCharacters,
    maxTokens: typeof maxTokens === "number" ? maxTokens : undefined,
  };
  return { ok: true, request };
}

function rejected(reply: Reply): ChatReading {
  return { ok: false, reply };
}

function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const body: unknown = JSON.parse(bytes.toString());
    return isObject(body) ? body : undefined;
  } catch {
    return undefined; // the caller replies with 400
  }
}

const roles: ReadonlyMap<unknown, ChatMessage["role"]> = new Map([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
  ["tool", "assistant"],
]);

/** The messages, or a sentence about the first that is wrong. */
function readMessages(given: unknown): readonly ChatMessage[] | string {
  if (!Array.isArray(given) || given.length === 0) return "'messages' must be an array with at least one message.";
  const messages: ChatMessage[] = [];
  for (const [index, message] of given.entries()) {
    const role = isObject(message) ? roles.get(message["role"]) : undefined;
    const content = isObject(message) ? textOf(message["content"]) : undefined;
    if (role === undefined) return `'messages[${index}].role' must be system, developer, user, assistant or tool.`;
    if (content === undefined) return `'messages[${index}].content' must be text, or an array of parts.`;
    messages.push({ role, content });
  }
  return messages;
}

function textOf(content: unknown): string | undefined {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) return undefined;
  return content
    .map((part: unknown) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}

/** The reply to a wrong parameter; undefined if all are right. */
function replyToParameters(body: Readonly<Record<string, unknown>>, reasoning: boolean): Reply | undefined {
  for (const name of ["max_tokens", "max_completion_tokens"]) {
    const value = body[name];
    if (value === undefined || value === null || (Number.isSafeInteger(value) && Number(value) > 0)) continue;
    return invalidRequest(`'${name}' must be a whole number from 1 up.`, name);
  }
  if (body["stream"] === true) return invalidRequest("The simulator does not stream: leave 'stream' out.", "stream");
  if (!reasoning) return undefined;
  if (body["max_tokens"] !== undefined) {
    const message = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    return invalidRequest(message, "max_tokens", "unsupported_parameter");
  }
  const name = rejectedByReasoning.find((candidate) => body[candidate] !== undefined && body[candidate] !== null);
  // A reasoning model accepts one value only: its own.
  if (name === undefined || (name === "temperature" && body[name] === 1)) return undefined;
  const code = name === "temperature" ? "unsupported_value" : "unsupported_parameter";
  return invalidRequest(`'${name}' is not supported with this model.`, name, code);
}

interface Format {
  readonly schema: JSONSchema | undefined;
  readonly schemaKey: number;
  readonly schemaCharacters: number;
}

const plainText: Format = { schema: undefined, schemaKey: 0, schemaCharacters: 0 };

function readFormat(
  given: unknown,
  messages: readonly ChatMessage[],
  rules: ReadingRules,
): Format | { readonly reply: Reply } {
  if (given === undefined || given === null) {
    const schema = writtenSchema(messages, rules.schemas);
    return schema === undefined ? plainText : { ...plainText, schema };
  }
  const type = isObject(given) ? given["type"] : undefined;
  if (type === "text") return plainText;
  if (type === "json_object") return { ...plainText, schema: writtenSchema(messages, rules.schemas) ?? anyObject };
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
  const { name, strict, schema } = wrapped;
  if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) {
    const message = "'response_format.json_schema.name' must be 1 to 64 letters, digits, _ or -.";
    return { reply: invalidRequest(message, "response_format.json_schema.name") };
  }
  const text = JSON.stringify(schema) ?? "";
  const entry = rules.schemas.entry(text, schema);
  const problem = strict === true ? (entry.strictProblem ?? entry.problem) : entry.problem;
  if (problem !== undefined) return { reply: badSchemaReply(`'${name}' ${problem}`) };
  return { schema: entry.schema, schemaKey: entry.key, schemaCharacters: text.length };
}

const schemaMark = "The JSON Schema of the reply:\n";
/** The schema of the answer if any JSON object will do. */
const anyObject: JSONSchema = { type: "object", properties: { answer: { type: "string" } } };

/** The schema that a client puts into the system message, for a service that takes no schema otherwise. */
function writtenSchema(messages: readonly ChatMessage[], schemas: SchemaBook): JSONSchema | undefined {
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  const start = system.lastIndexOf(schemaMark);
  const [line = ""] = system.slice(start + schemaMark.length).split("\n", 1); // the form of a reply may follow
  return start === -1 ? undefined : schemas.parsed(line);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The keys of a conversation's beginnings: for each message, one of all messages up to and with it. */
export function keysOfBeginnings({ deployment, messages }: ChatRequest): readonly number[] {
  let before = deployment;
  return messages.map(({ role, content }) => {
    const key = keyOf(`${before}\n${role}\n${content}`);
    before = String(key);
    return key;
  });
}
