import { z } from "zod";
import { countedUsage, jsonOf, rateLimitOf } from "../chat-completions/answer.ts";
import { isJSON } from "../chat-completions/json-in-text.ts";
import { fieldsOf, readReplyParts } from "../chat-completions/reply-parts.ts";
import { ProviderError } from "../provider-error.ts";
import type { CountedTokens } from "../token-usage.ts";
import type { LLMRequest, LLMResponse } from "../../contracts/provider.ts";
import { requestIdOf } from "../chat-completions/service-error.ts";

/** The result of `doGenerate` in the specifications V3 and V4, and in V2 where that differs. */
const Result = z.object({
  content: z.array(
    z.object({ type: z.string(), text: z.string().optional(), providerMetadata: z.unknown().optional() }).loose(),
  ),
  finishReason: z
    .union([z.string(), z.object({ unified: z.string() }).transform(({ unified }) => unified)])
    .default("stop"),
  usage: z.unknown().optional(),
  warnings: z
    .array(z.object({ type: z.string(), feature: z.string().nullish(), setting: z.string().nullish() }))
    .nullish(),
  response: z
    .object({
      modelId: z.string().nullish(),
      headers: z.record(z.string(), z.string().optional()).nullish(),
      body: z.unknown().optional(),
    })
    .nullish(),
});
type Result = z.output<typeof Result>;

export interface AiSdkReading {
  /** The model's name, for a result that does not name its model. */
  readonly model: string;
  readonly schema: LLMRequest["schema"]["json"];
  /** The characters of the request, from which its tokens are estimated if they are not counted. */
  readonly requestCharacters: number;
  /** True if the model is to be held to the schema: then the answer is JSON, and stays as it came. */
  readonly isStrict: boolean;
  /** Called if the AI SDK's provider did not send the schema to the model. */
  readonly onSchemaDropped: () => void;
  /** Called if a model that is to be held to the schema was not: other text stood around the JSON of its answer. */
  readonly onSchemaIgnored: () => void;
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
  const text = textOf(content, response?.body);
  const refusal = text === "" || finishReason === "content-filter" ? refusalIn(response?.body) : undefined;
  const rateLimit = rateLimitOf(headers);
  return {
    text: refusal ?? (finishReason === "length" ? text : jsonOf(text, reading)),
    finishReason: refusal === undefined ? finishReasonOf(finishReason) : "refusal",
    model: response?.modelId ?? reading.model,
    usage: countedUsage(
      { ...countedIn(usage), tier: fieldsOf(response?.body)?.["service_tier"] },
      { input: reading.requestCharacters, output: (refusal ?? text).length },
    ),
    requestId,
    ...(rateLimit === undefined ? {} : { rateLimit }),
  };
}

function finishReasonOf(reason: string): LLMResponse["finishReason"] {
  if (reason === "content-filter") return "content_filter";
  return reason === "length" ? "length" : "stop";
}

/** The counts of the specifications V3 and V4, and of V2, where they are plain numbers. */
function countedIn(usage: unknown): CountedTokens {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = fieldsOf(usage) ?? {};
  const input = fieldsOf(inputTokens) ?? { total: inputTokens, cacheRead: cachedInputTokens };
  const output = fieldsOf(outputTokens) ?? { total: outputTokens, reasoning: reasoningTokens };
  return {
    input: input["total"],
    cached: input["cacheRead"],
    cacheWrite: input["cacheWrite"],
    output: output["total"],
    reasoning: output["reasoning"],
  };
}

/**
 * The text of the answer. A model of the Responses API may write several messages, comments first and the answer last: they
 * are told apart by the ids of their parts. Parts without an id are pieces of one text, or the last one is the answer.
 */
function textOf(content: Result["content"], body: unknown): string {
  const parts = content.filter(({ type, text }) => type === "text" && text !== undefined);
  const filled = parts.filter(({ text = "" }) => text.trim() !== "");
  const final = filled.findLast((part) => metadataOf(part, "phase") === "final_answer") ?? filled.at(-1);
  if (final === undefined) return "";
  const id = metadataOf(final, "itemId");
  const ofFinal = id === undefined ? parts : parts.filter((part) => metadataOf(part, "itemId") === id);
  const text = ofFinal.map((part) => part.text).join("");
  if (id !== undefined || parts.length === 1 || isJSON(text)) return text;
  const fromBody = Array.isArray(fieldsOf(body)?.["output"]) ? readReplyParts(body)?.text : undefined;
  if (fromBody !== undefined && isJSON(fromBody)) return fromBody;
  return isJSON(final.text ?? "") ? (final.text ?? "") : text;
}

/** A field that the AI SDK's provider added to a part, under whichever name the provider has. */
function metadataOf({ providerMetadata }: Result["content"][number], name: string): unknown {
  return Object.values(fieldsOf(providerMetadata) ?? {}).flatMap((fields) => fieldsOf(fields)?.[name] ?? [])[0];
}

const ChatBody = z.object({
  choices: z.tuple([z.object({ message: z.object({ refusal: z.string().trim().min(1) }) })], z.unknown()),
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
  return responses
    .flatMap(({ content = [] }) => content)
    .find(({ type, refusal = "" }) => type === "refusal" && refusal.trim() !== "")?.refusal;
}
