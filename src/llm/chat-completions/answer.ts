import type { HTTPAnswer } from "./response-body.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMRequest, LLMResponse, RateLimit, TokenUsage } from "../../contracts/provider.ts";
import { type CountedTokens, countOf, readUsage } from "../token-usage.ts";
import { isJSON, objectInText } from "./json-in-text.ts";
import { readReplyParts, type ReplyParts } from "./reply-parts.ts";
import { requestIdOf, serviceError, type ServiceFailure } from "./service-error.ts";
import { answerInError, statusOfError } from "./answer-in-error.ts";

/** The call that a reply answers, as far as reading takes it. */
export interface CompletionReading extends Pick<ServiceFailure, "origin" | "path" | "settings" | "asked"> {
  /** The model's name, for an answer that does not name its model. */
  readonly model: string;
  readonly schema: LLMRequest["schema"]["json"];
  /** The characters of the request, from which its tokens are estimated if the service does not count them. */
  readonly requestCharacters: number;
  /** The limit of output tokens that was sent. */
  readonly tokenLimit: number;
  /** True if the service holds its model to the schema: then the answer is JSON, and stays as it came. */
  readonly isStrict: boolean;
  /** Called if such a service did not: other text stood around the JSON of an answer. */
  readonly onSchemaIgnored: () => void;
}

/**
 * Reads the body of a reply with a status of success.
 *
 * @throws {ProviderError} INVALID_RESPONSE if the body is not a chat completion; the service's own error if it holds one
 */
export function readCompletion(answer: HTTPAnswer, reading: CompletionReading): LLMResponse {
  const { status, headers } = answer;
  const requestId = requestIdOf(headers);
  const parts = readReplyParts(parseBody(answer, requestId));
  if (parts === undefined) throw invalidResponse(answer, requestId);
  const { text, refusal, finishReason: reason, error } = parts;
  const finishReason = refusal === undefined ? finishReasonOf(reason) : "refusal";
  if (error !== undefined && (text === "" || finishReason === undefined)) return answerOrThrow(error, answer, reading);
  if (finishReason === undefined) {
    const problem = `${status}, but the answer broke off${/^[a-z]+(?:_[a-z]+){0,5}$/.test(reason) ? ` (finish_reason "${reason}")` : ""}`;
    throw new ProviderError("transient", "INVALID_RESPONSE", problem, { status, requestId });
  }
  const rateLimit = rateLimitOf(headers);
  return {
    text: refusal ?? (finishReason === "stop" ? jsonOf(text, reading) : text),
    finishReason,
    model: parts.model ?? reading.model,
    usage: usageOf(parts, reading.requestCharacters),
    requestId,
    ...(rateLimit === undefined ? {} : { rateLimit }),
  };
}

/** The requests and tokens that the service says are left of its limits; undefined if it says nothing. */
export function rateLimitOf(headers: HTTPAnswer["headers"]): RateLimit | undefined {
  const remainingRequests = countIn(headers["x-ratelimit-remaining-requests"]);
  const remainingTokens = countIn(headers["x-ratelimit-remaining-tokens"]);
  if (remainingRequests === undefined && remainingTokens === undefined) return undefined;
  return { remainingRequests, remainingTokens };
}

/**
 * The JSON of an answer, without the text around it. An answer without JSON stays as it is, and so does any where the service is to
 * hold its model to the schema.
 */
export function jsonOf(
  text: string,
  { schema, isStrict, onSchemaIgnored }: Pick<CompletionReading, "schema" | "isStrict" | "onSchemaIgnored">,
): string {
  if (isJSON(text)) return text;
  const found = objectInText(text, schema.required ?? []);
  if (found === undefined) return text;
  if (!isStrict) return found;
  onSchemaIgnored();
  return text;
}

/** The tokens as they were counted. A prompt and an answer have at least one: a count of 0 is none. */
export function countedUsage(counted: CountedTokens, characters: { input: number; output: number }): TokenUsage {
  const { input, output } = counted;
  return readUsage(
    {
      ...counted,
      input: countOf(input) === 0 ? undefined : input,
      output: countOf(output) === 0 && characters.output > 0 ? undefined : output,
    },
    characters,
  );
}

function usageOf({ counted, text, refusal }: ReplyParts, requestCharacters: number): TokenUsage {
  return countedUsage(counted, { input: requestCharacters, output: (refusal ?? text).length });
}

/** An error in a reply with a status of success means what it would mean with the status of an error. */
function answerOrThrow(error: unknown, answer: HTTPAnswer, reading: CompletionReading): LLMResponse {
  const failure = { ...answer, status: statusOfError(error), body: JSON.stringify({ error }) };
  const found = answerInError(failure, reading);
  if (found !== undefined) return found;
  const { origin, path, settings, asked } = reading;
  throw serviceError({ ...failure, origin, path, settings, asked });
}

/** How an answer ended, by the words of many services. Any other word is "stop". */
const finishReasons: ReadonlyMap<string, LLMResponse["finishReason"]> = new Map([
  ["length", "length"],
  ["max_tokens", "length"],
  ["max_output_tokens", "length"],
  ["max_completion_tokens", "length"],
  ["model_length", "length"],
  ["content_filter", "content_filter"],
  ["content-filter", "content_filter"],
  ["safety", "content_filter"],
  ["prohibited_content", "content_filter"],
  ["blocklist", "content_filter"],
  ["sensitive", "content_filter"],
  ["refusal", "refusal"],
]);

/** The words for an answer at which the service itself failed. */
const reasonsOfFailure: ReadonlySet<string> = new Set([
  "error",
  "abort",
  "aborted",
  "network_error",
  "insufficient_system_resource",
]);

/** Undefined if the service itself failed at the answer. */
function finishReasonOf(reason: string): LLMResponse["finishReason"] | undefined {
  return reasonsOfFailure.has(reason) ? undefined : (finishReasons.get(reason) ?? "stop");
}

/** A body may be truncated, or a proxy's page: the same call may succeed later, so the error is transient. */
function parseBody(answer: HTTPAnswer, requestId: string | undefined): unknown {
  try {
    return JSON.parse(answer.body);
  } catch (error) {
    throw invalidResponse(answer, requestId, error);
  }
}

function invalidResponse({ status, body }: HTTPAnswer, requestId: string | undefined, thrown?: unknown): ProviderError {
  // A parser's message quotes the text that it failed on, which may be an answer's.
  const cause = thrown === undefined ? undefined : new Error(thrown instanceof Error ? thrown.name : "not an error");
  const problem = `${status}, but the body (${body.length} characters) is not a chat completion`;
  return new ProviderError("transient", "INVALID_RESPONSE", problem, { status, requestId, cause });
}

function countIn(value: string | readonly string[] | undefined): number | undefined {
  const text = typeof value === "string" ? value : value?.[0];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
