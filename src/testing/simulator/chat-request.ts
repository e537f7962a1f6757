import type { IncomingHttpHeaders } from "node:http";
import type { ChatMessage } from "../../contracts/provider.ts";
import { invalidRequest, type Reply } from "./replies.ts";
import { keyOf } from "./request-hash.ts";
import { type AnswerFormat, type FormatRules, readFormat } from "./response-format.ts";
import { readTier, simulatorTiers, type SimulatorTier } from "./tiers.ts";

/** A request for a chat completion, parsed and checked. */
export interface ChatRequest extends AnswerFormat {
  readonly deployment: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The messages, with the roles system (which includes developer), user and assistant (which includes tool). */
  readonly messages: readonly ChatMessage[];
  readonly messageCharacters: number;
  readonly maxTokens: number | undefined;
  /** The service tier that it asks for. */
  readonly tier: SimulatorTier;
}

export interface ReadingRules extends FormatRules {
  /** @default none that matters */
  readonly headers?: IncomingHttpHeaders | undefined;
  /** The service tiers that the deployment has. @default all */
  readonly tiers?: readonly SimulatorTier[] | undefined;
  /** The deployment in the path; undefined if the body's `model` names it. */
  readonly deployment: string | undefined;
  readonly reasoning: boolean;
}

export type ChatReading =
  | { readonly ok: true; readonly request: ChatRequest }
  | { readonly ok: false; readonly reply: Reply };

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
  const { headers = {}, tiers = simulatorTiers } = rules;
  const tier = readTier({ headers, field: body["service_tier"], tiers });
  if (typeof tier === "object") return rejected(tier.reply);
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
    tier,
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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Messages, and the deployment that is asked. */
export type AskedMessages = Pick<ChatRequest, "deployment" | "messages">;

/** The key of the row that a conversation is about: of its first user message, and of the first line of what stands before it, which is the step's. */
export function keyOfRow({ deployment, messages }: AskedMessages): number {
  const first = messages.find(({ role }) => role === "user")?.content ?? "";
  const [task = ""] = messages[0]?.role === "system" ? messages[0].content.split("\n", 1) : [];
  return keyOf(`${deployment}\n${task}\n${first}`);
}

/** The keys of a conversation's beginnings: for each message, one of all messages up to and with it. */
export function keysOfBeginnings({ deployment, messages }: AskedMessages): readonly number[] {
  let before = deployment;
  return messages.map(({ role, content }) => {
    const key = keyOf(`${before}\n${role}\n${content}`);
    before = String(key);
    return key;
  });
}
