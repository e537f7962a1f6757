import { isJSON } from "./json-in-text.ts";
import type { CountedTokens } from "../token-usage.ts";

/** The parts of a reply that matter, whichever shape it came in. */
export interface ReplyParts {
  readonly text: string;
  /** The model's words if it declined; undefined if it did not. */
  readonly refusal: string | undefined;
  /** The service's own word, in lower case; empty if it gave none. */
  readonly finishReason: string;
  /** Undefined where the reply does not name its model. */
  readonly model: string | undefined;
  readonly counted: CountedTokens;
  /** The error that the service put into the reply instead of an answer, or beside it. */
  readonly error: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the parts of a parsed reply. It takes the shapes that services give a chat completion (content as parts, a choice
 * without a message, the answer as a tool's arguments, a single message, the items of the Responses API); undefined for
 * anything else.
 */
export function readReplyParts(reply: unknown): ReplyParts | undefined {
  const body = fieldsOf(Array.isArray(reply) ? reply[0] : reply);
  if (body === undefined) return undefined;
  const choices = choicesOf(body).map((choice) => readChoice(choice));
  const choice = choices.find(({ text, refusal }) => text.trim() !== "" || refusal !== undefined) ?? choices[0];
  const error = choice?.error ?? errorIn(body);
  if (choice === undefined && error === undefined) return undefined;
  const { text = "", refusal, finishReason = "" } = choice ?? {};
  return { text, refusal, finishReason, error, model: nonBlank(body["model"]), counted: countedIn(body) };
}

/** The object's fields; undefined for anything else. */
export function fieldsOf(value: unknown): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Fields; // an object has fields by name
}

function objectsOf(values: readonly unknown[]): readonly Fields[] {
  return values.map(fieldsOf).filter((fields) => fields !== undefined);
}

/** The choices of a reply: objects with a message, a text or a reason for the end. */
function choicesOf(body: Fields): readonly Fields[] {
  const { choices, output, message } = body;
  if (Array.isArray(output)) return [choiceOfItems(body, output)];
  const single = choices ?? (fieldsOf(message) === undefined ? undefined : body);
  const all: readonly unknown[] = Array.isArray(choices) ? choices : [single];
  const isChoice = (choice: Fields): boolean =>
    ["message", "delta", "text", "finish_reason", "error"].some((name) => choice[name] !== undefined);
  return objectsOf(all).filter(isChoice);
}

/** The last message among the items of the Responses API, as a choice: messages before it are comments on the way. */
function choiceOfItems(body: Fields, items: readonly unknown[]): Fields {
  const messages = objectsOf(items).filter(({ type }) => type === "message");
  const final = messages.findLast(({ phase }) => phase === "final_answer") ?? messages.at(-1);
  const reason = fieldsOf(body["incomplete_details"])?.["reason"];
  return { message: { content: final?.["content"] }, finish_reason: reason ?? "stop" };
}

interface Choice {
  readonly text: string;
  readonly refusal: string | undefined;
  readonly finishReason: string;
  readonly error: unknown;
}

function readChoice(choice: Fields): Choice {
  const { message: given, delta } = choice;
  const message = fieldsOf(given) ?? fieldsOf(delta) ?? { content: given };
  const reason =
    nonBlank(choice["finish_reason"]) ??
    nonBlank(choice["finishReason"]) ??
    nonBlank(fieldsOf(choice["finish_details"])?.["type"]) ??
    nonBlank(choice["done_reason"]) ??
    "";
  const content = textOf(message["content"]);
  const text = content.trim() === "" ? (textElsewhere(choice, message) ?? content) : content;
  const error = isBlank(choice["error"]) ? undefined : choice["error"];
  return { text, refusal: refusalIn(message), finishReason: reason.toLowerCase(), error };
}

/** The text of a message's content: a text, parts of it (thoughts are none of the answer), or an object that is parsed already. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(textOfPart).join("");
  const fields = fieldsOf(content);
  if (fields === undefined) return "";
  return isPart(fields) ? textOfPart(fields) : JSON.stringify(fields);
}

const typesOfText = ["text", "output_text", undefined];

function textOfPart(part: unknown): string {
  if (typeof part === "string") return part;
  const { type, text, thought } = fieldsOf(part) ?? {};
  if (thought === true || !typesOfText.some((known) => known === type)) return "";
  if (typeof text === "string") return text;
  return nonBlank(fieldsOf(text)?.["value"]) ?? "";
}

function isPart({ type, text }: Fields): boolean {
  return typeof type === "string" && text !== undefined && typesOfText.includes(type);
}

/** An answer that is not in the content: a gateway may have turned the schema into a tool, or mixed up the fields. */
function textElsewhere(choice: Fields, message: Fields): string | undefined {
  const [call]: readonly unknown[] = Array.isArray(message["tool_calls"]) ? message["tool_calls"] : [];
  const called = fieldsOf(fieldsOf(call)?.["function"]) ?? fieldsOf(message["function_call"]);
  const given = called?.["arguments"] ?? message["parsed"] ?? choice["text"];
  const text = textOf(given);
  if (text.trim() !== "") return text;
  const thought = nonBlank(message["reasoning_content"]) ?? nonBlank(message["reasoning"]) ?? "";
  return thought.trimStart().startsWith("{") && isJSON(thought) ? thought : undefined;
}

function refusalIn({ refusal, content }: Fields): string | undefined {
  const said = nonBlank(refusal);
  if (said !== undefined || !Array.isArray(content)) return said;
  const part = objectsOf(content).find(({ type }) => type === "refusal");
  return nonBlank(part?.["refusal"]);
}

/** The error of a reply: an object or a text that is not empty. */
function errorIn(body: Fields): unknown {
  if (!isBlank(body["error"])) return body["error"];
  return body["object"] === "error" || body["type"] === "error" ? body : undefined;
}

function isBlank(error: unknown): boolean {
  if (error === null || error === undefined || error === false) return true;
  if (typeof error === "string") return error.trim() === "";
  return typeof error === "object" && Object.values(error).every((value) => value === null || value === "");
}

/** The counts by their names in chat completions, the Responses API and Ollama's own API. */
function countedIn(body: Fields): CountedTokens {
  const usage = fieldsOf(body["usage"]) ?? {};
  const input = usage["prompt_tokens"] ?? usage["input_tokens"] ?? body["prompt_eval_count"];
  const output = usage["completion_tokens"] ?? usage["output_tokens"] ?? body["eval_count"];
  const inputDetails = fieldsOf(usage["prompt_tokens_details"]) ?? fieldsOf(usage["input_tokens_details"]);
  const outputDetails = fieldsOf(usage["completion_tokens_details"]) ?? fieldsOf(usage["output_tokens_details"]);
  const reasoning = outputDetails?.["reasoning_tokens"];
  return {
    input,
    cached: inputDetails?.["cached_tokens"] ?? usage["prompt_cache_hit_tokens"],
    cacheWrite: inputDetails?.["cache_write_tokens"] ?? usage["cache_creation_input_tokens"],
    tier: body["service_tier"],
    output: outputOf({ rest: restOf(usage["total_tokens"], input), output, reasoning }),
    reasoning,
  };
}

/** Some services count the reasoning beside the output: the total then tells. */
function outputOf({
  rest,
  output,
  reasoning,
}: {
  rest: number | undefined;
  output: unknown;
  reasoning: unknown;
}): unknown {
  if (output === undefined || output === null) return rest;
  const isBeside = typeof output === "number" && typeof reasoning === "number" && rest === output + reasoning;
  return isBeside ? rest : output;
}

function restOf(total: unknown, part: unknown): number | undefined {
  return typeof total === "number" && typeof part === "number" ? total - part : undefined;
}

function nonBlank(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}
