import { z } from "zod";
import type { HTTPAnswer } from "./http.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMResponse, RateLimit } from "../../contracts/provider.ts";
import { requestIdOf } from "./service-error.ts";

const Completion = z.object({
  model: z.string().optional(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z
    .object({
      prompt_tokens: z.number(),
      completion_tokens: z.number().default(0),
      prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
      completion_tokens_details: z.object({ reasoning_tokens: z.number().nullish() }).nullish(),
    })
    .nullish(),
});

export interface CompletionReading {
  /** The model's name, for an answer that does not name its model. */
  readonly model: string;
  /** True for a model that no schema binds: such a model may put its answer into a fence of Markdown, which is taken off. */
  readonly fenced: boolean;
}

/**
 * Reads the body of a chat completion that came with status 200.
 *
 * @throws {ProviderError} INVALID_RESPONSE if the body is not a chat completion
 */
export function readCompletion(answer: HTTPAnswer, { model: named, fenced }: CompletionReading): LLMResponse {
  const requestId = requestIdOf(answer.headers);
  const { choices, model = named, usage } = parseCompletion(answer.body, requestId);
  const { finish_reason: reason, message } = choices[0] ?? { message: {} };
  const text = message.refusal ?? message.content ?? "";
  const rateLimit = rateLimitOf(answer.headers);
  return {
    text: fenced ? withoutFence(text) : text,
    finishReason:
      typeof message.refusal === "string"
        ? "refusal"
        : reason === "length" || reason === "content_filter"
          ? reason
          : "stop",
    model,
    usage: {
      inputTokens: usage?.prompt_tokens ?? 0,
      cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
      outputTokens: usage?.completion_tokens ?? 0,
      reasoningTokens: usage?.completion_tokens_details?.reasoning_tokens ?? 0,
    },
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

/** Takes off the fence (three backticks, perhaps with `json`) around a whole answer; any other answer stays as it is. */
export function withoutFence(text: string): string {
  return /^\s*```\w*\s*\n([\s\S]*?)\s*```\s*$/.exec(text)?.[1] ?? text;
}

/** A body may be truncated, or a proxy's page: the same call may succeed later, so the error is transient. */
function parseCompletion(body: string, requestId: string | undefined): z.output<typeof Completion> {
  try {
    return Completion.parse(JSON.parse(body));
  } catch (error) {
    // A parser's message quotes the text that it failed on, which may be an answer's.
    const cause = new Error(error instanceof Error ? error.name : "not an error");
    const problem = `200, but the body (${body.length} characters) is not a chat completion`;
    throw new ProviderError("transient", "INVALID_RESPONSE", problem, { status: 200, requestId, cause });
  }
}

function countIn(value: string | readonly string[] | undefined): number | undefined {
  const text = typeof value === "string" ? value : value?.[0];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
