import type { TokenLimitName } from "./body.ts";
import type { LLMResponse } from "../../contracts/provider.ts";
import { estimatedTokens } from "../token-usage.ts";
import { fieldsOf } from "./reply-parts.ts";
import { requestIdOf, type ServiceFailure } from "./service-error.ts";

/** The call that the error is about: the service counts no tokens in an error. */
export interface ErrorReading {
  readonly model: string;
  readonly requestCharacters: number;
  readonly tokenLimit: number;
}

/**
 * The answer of a model about which the service gives an error: one that was cut off for its length, without its text, or
 * one that is not the JSON that was asked for. Undefined for any other error.
 */
export function answerInError(
  { status, headers, body }: Pick<ServiceFailure, "status" | "headers" | "body">,
  { model, requestCharacters, tokenLimit }: ErrorReading,
): LLMResponse | undefined {
  if (status !== 400 && status !== 422) return undefined;
  const error = errorOf(body);
  if (error === undefined) return undefined;
  const { message, code, failed_generation: generation } = error;
  const text = typeof generation === "string" ? generation : "";
  const isCutOff = [message, text.slice(0, 200)].some((said) => typeof said === "string" && saysCutOff(said));
  if (!isCutOff && code !== "json_validate_failed" && typeof generation !== "string") return undefined;
  const outputTokens = isCutOff ? tokenLimit : estimatedTokens(text.length);
  const inputTokens = estimatedTokens(requestCharacters);
  return {
    text: isCutOff ? "" : text,
    finishReason: isCutOff ? "length" : "stop",
    model,
    usage: { inputTokens, cachedTokens: 0, outputTokens, reasoningTokens: 0, isEstimated: true },
    requestId: requestIdOf(headers),
  };
}

/** The status that an error in a reply with a status of success stands for; 500, which may pass, where nothing tells. */
export function statusOfError(error: unknown): number {
  const { code, status, status_code: statusCode, type, message } = fieldsOf(error) ?? { message: error };
  const numbers = [code, status, statusCode].map(Number);
  const given = numbers.find((number) => Number.isInteger(number) && number >= 400 && number <= 599);
  if (given !== undefined) return given;
  const said = [code, type, message].filter((word) => typeof word === "string").join(" ");
  return statusesByWords.find(([words]) => words.test(said.slice(0, 1000)))?.[1] ?? 500;
}

const statusesByWords: readonly (readonly [RegExp, number])[] = [
  [/rate.?limit|too many requests|insufficient_quota|quota/i, 429],
  [/content.?filter|content_policy|invalid_prompt|context.?length|string_above_max|json_validate_failed/i, 400],
  [/invalid_api_key|authentication/i, 401],
  [/invalid_request/i, 400],
  [/unexpected endpoint|unknown (?:endpoint|route)|no route|not found/i, 404],
];

/** The words of OpenAI, Azure OpenAI and Groq for a limit of output tokens that was reached before the answer was whole. */
function saysCutOff(said: string): boolean {
  const text = said.slice(0, 1000);
  if (/context.{0,3}(length|window|size)/i.test(text)) return false; // then the request is too long
  return /could not finish the message|(max[_ ](completion[_ ]|output[_ ])?tokens|output limit)[^.]{0,80}\breached\b/i.test(
    text,
  );
}

/** True if the service rejects the name of the limit of output tokens, not its value. */
export function rejectsTokenLimit(
  { status, body }: Pick<ServiceFailure, "status" | "body">,
  name: TokenLimitName,
): boolean {
  if (status !== 400 && status !== 422) return false;
  const said = body.slice(0, mostReadCharacters);
  return new RegExp(`\\b${name}\\b`).test(said) && wordsForUnknown.test(said);
}

const mostReadCharacters = 4000;
const wordsForUnknown =
  /unsupported|(not|n't) (be )?(supported|permitted|allowed)|unrecognized|unrecognised|unknown|unexpected|forbidden|instead/i;

function errorOf(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const fields = fieldsOf(Array.isArray(parsed) ? parsed[0] : parsed);
    if (fields === undefined) return undefined;
    const { error, detail, message = error ?? detail } = fields;
    return fieldsOf(error) ?? { ...fields, message };
  } catch {
    return undefined; // a proxy's page, say
  }
}
