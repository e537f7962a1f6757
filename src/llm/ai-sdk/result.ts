import { z } from "zod";
import { rateLimitOf, withoutFence } from "../chat-completions/answer.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMResponse, TokenUsage } from "../../contracts/provider.ts";
import { requestIdOf } from "../chat-completions/service-error.ts";

const Count = z.number().nullish();

/** The result of `doGenerate` in the specifications V3 and V4, and in V2 where that differs. */
const Result = z.object({
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
  finishReason: z.union([z.string(), z.object({ unified: z.string() }).transform(({ unified }) => unified)]),
  usage: z.object({
    inputTokens: z.union([Count, z.object({ total: Count, cacheRead: Count })]),
    outputTokens: z.union([Count, z.object({ total: Count, reasoning: Count })]),
    cachedInputTokens: Count,
    reasoningTokens: Count,
  }),
  warnings: z
    .array(z.object({ type: z.string(), feature: z.string().nullish(), setting: z.string().nullish() }))
    .nullish(),
  response: z
    .object({
      modelId: z.string().nullish(),
      headers: z.record(z.string(), z.string().optional()).nullish(),
      body: z.unknown(),
    })
    .nullish(),
});
type Result = z.output<typeof Result>;

export interface AiSdkReading {
  /** The model's name, for a result that does not name its model. */
  readonly model: string;
  /** True for a model that no schema binds: a fence of Markdown around its answer is taken off. */
  readonly fenced: boolean;
  /** Called if the AI SDK's provider did not send the schema to the model. */
  readonly onSchemaDropped: () => void;
}

/**
 * Reads the result of an AI SDK model's `doGenerate`.
 *
 * @throws {ProviderError} INVALID_RESPONSE if the result is of another form, or the model ended with an error
 */
export function readAiSdkResult(result: unknown, reading: AiSdkReading): LLMResponse {
  const parsed = Result.safeParse(result);
  if (!parsed.success) {
    const problem = "the AI SDK model's result does not fit its specification (v2 to v4)";
    throw new ProviderError("transient", "INVALID_RESPONSE", problem);
  }
  const { content, finishReason, usage, warnings, response } = parsed.data;
  const headers = response?.headers ?? {};
  const requestId = requestIdOf(headers);
  if (finishReason === "error") {
    throw new ProviderError("transient", "INVALID_RESPONSE", "the model ended with an error", { requestId });
  }
  if (warnings?.some(({ feature, setting }) => (feature ?? setting) === "responseFormat") === true) {
    reading.onSchemaDropped();
  }
  const text = content.map((part) => (part.type === "text" ? (part.text ?? "") : "")).join("");
  const refusal = text === "" || finishReason === "content-filter" ? refusalIn(response?.body) : undefined;
  const rateLimit = rateLimitOf(headers);
  return {
    text: refusal ?? (reading.fenced ? withoutFence(text) : text),
    finishReason: refusal === undefined ? finishReasonOf(finishReason) : "refusal",
    model: response?.modelId ?? reading.model,
    usage: usageOf(usage),
    requestId,
    ...(rateLimit === undefined ? {} : { rateLimit }),
  };
}

function finishReasonOf(reason: string): LLMResponse["finishReason"] {
  if (reason === "content-filter") return "content_filter";
  return reason === "length" ? "length" : "stop";
}

function usageOf({ inputTokens, outputTokens, cachedInputTokens, reasoningTokens }: Result["usage"]): TokenUsage {
  const input = typeof inputTokens === "object" ? inputTokens : { total: inputTokens, cacheRead: cachedInputTokens };
  const output = typeof outputTokens === "object" ? outputTokens : { total: outputTokens, reasoning: reasoningTokens };
  return {
    inputTokens: input?.total ?? 0,
    cachedTokens: input?.cacheRead ?? 0,
    outputTokens: output?.total ?? 0,
    reasoningTokens: output?.reasoning ?? 0,
  };
}

const ChatBody = z.object({
  choices: z.tuple([z.object({ message: z.object({ refusal: z.string() }) })], z.unknown()),
});
const ResponsesBody = z.object({
  output: z.array(
    z.object({ content: z.array(z.object({ type: z.string(), refusal: z.string().optional() })).optional() }),
  ),
});

/** The model's own words if it declined. The AI SDK drops them or reports a content filter; the bodies of both OpenAI APIs have them. */
function refusalIn(body: unknown): string | undefined {
  const chat = ChatBody.safeParse(body);
  if (chat.success) return chat.data.choices[0].message.refusal;
  const responses = ResponsesBody.safeParse(body).data?.output ?? [];
  return responses.flatMap(({ content = [] }) => content).find(({ type }) => type === "refusal")?.refusal;
}
