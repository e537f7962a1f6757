import { retryAfterHeaders, type SimulatorRetryAfterForm } from "./retry-after.ts";

/** One whole HTTP response. */
export interface Reply {
  readonly status: number;
  readonly body: string;
  /** @default "application/json" */
  readonly contentType?: string | undefined;
  /** Names and values in turn. @default none */
  readonly headers?: readonly string[] | undefined;
}

interface ErrorFacts {
  readonly message: string;
  readonly code: string | null;
  readonly type?: string | null | undefined;
  readonly param?: string | null | undefined;
  readonly innererror?: object | undefined;
}

/** An error in the form of Azure OpenAI. */
export function errorReply(status: number, facts: ErrorFacts, headers: readonly string[] = []): Reply {
  const { message, code, type = null, param = null, innererror } = facts;
  const error = { message, type, param, code, ...(innererror === undefined ? {} : { status, innererror }) };
  return { status, body: JSON.stringify({ error }), headers };
}

/** The reply to a request that is wrong in itself: the service would reject it each time. */
export function invalidRequest(message: string, param: string | null, code: string | null = null): Reply {
  return errorReply(400, { message, code, param, type: "invalid_request_error" });
}

/** The reply 429 of a limit. A wait that the headers do not name is not in the message either. */
export function rateLimitReply(
  exceeded: "requests" | "tokens",
  waitMs: number | undefined,
  detail: string,
  form: SimulatorRetryAfterForm = "both",
): Reply {
  const again = waitMs === undefined ? "" : ` Try again in ${waitMs} ms.`;
  const message = `The rate limit for ${exceeded} of this deployment is reached${detail}.${again}`;
  const facts = { message, type: exceeded, code: "rate_limit_exceeded" };
  return errorReply(429, facts, retryAfterHeaders(form, waitMs));
}

/** The reply 429 of Flex for want of capacity. Code and words are assumed: the public pages have no body, only the name "Resource Unavailable". */
export function flexShortageReply(): Reply {
  const message = "Resource Unavailable: there is no capacity for this service tier at the moment.";
  return errorReply(429, { message, type: "resource_unavailable", code: "resource_unavailable" });
}

export function quotaExhaustedReply(headers: readonly string[] = []): Reply {
  const message = "The quota of this subscription is used up; see its plan and billing.";
  return errorReply(429, { message, type: "insufficient_quota", code: "insufficient_quota" }, headers);
}

export function unauthorizedReply(): Reply {
  const message =
    "Access denied: the key or token is not valid for this resource, or the address is another resource's.";
  return errorReply(401, { message, code: "401" });
}

export function deploymentNotFoundReply(): Reply {
  const message = "There is no such deployment for this resource. A new one takes some minutes to appear.";
  return errorReply(404, { message, code: "DeploymentNotFound" });
}

/** The reply of a deployment that takes batches alone, as Azure's of the kind GlobalBatch do. */
export function batchOnlyReply(): Reply {
  const message = "The chatCompletion operation does not work with this deployment: it takes batches alone.";
  return errorReply(400, { message, code: "OperationNotSupported" });
}

export function forbiddenReply(): Reply {
  return errorReply(403, { message: "This key does not have access to this operation.", code: "403" });
}

export function fileNotFoundReply(): Reply {
  return notFoundReply("There is no such file.", "id");
}

export function batchNotFoundReply(): Reply {
  return notFoundReply("There is no such batch.", "batch_id");
}

function notFoundReply(message: string, param: string): Reply {
  return errorReply(404, { message, code: null, param, type: "invalid_request_error" });
}

export function serverErrorReply(headers: readonly string[] = []): Reply {
  const message = "The server had an error while it processed the request.";
  return errorReply(500, { message, code: "InternalServerError", type: "server_error" }, headers);
}

export function unavailableReply(headers: readonly string[] = []): Reply {
  const message = "The service is temporarily unable to process the request.";
  return errorReply(503, { message, code: "ServiceUnavailable", type: "server_error" }, headers);
}

export function contextLengthReply(promptTokens: number): Reply {
  const message = `This model's maximum context length is less than the ${promptTokens} tokens of these messages.`;
  return invalidRequest(message, "messages", "context_length_exceeded");
}

export function badSchemaReply(problem: string): Reply {
  return invalidRequest(`Invalid schema for response_format: ${problem}.`, "response_format");
}

/** The reply of a server that does not know a form of `response_format`, in the words of llama-cpp-python. */
export function unknownFormatReply(known: readonly string[], got: unknown): Reply {
  const words = known.map((form) => `'${form}'`);
  const expected = [words.slice(0, -1).join(", "), ...words.slice(-1)].filter((part) => part !== "").join(" or ");
  const message =
    "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), " +
    `'msg': "Input should be ${expected}", 'input': ${JSON.stringify(got) ?? "None"}}]`;
  return errorReply(500, { message, code: null, type: "internal_server_error" });
}

export function promptFilteredReply(): Reply {
  return errorReply(400, {
    message: "The prompt was filtered by the content management policy of this resource.",
    code: "content_filter",
    param: "prompt",
    innererror: {
      code: "ResponsibleAIPolicyViolation",
      content_filter_result: { ...safe, violence: filtered, jailbreak: { filtered: false, detected: false } },
    },
  });
}

/** The page of a proxy or a firewall that answers in place of the service. */
export function pageReply(): Reply {
  const body = "<!doctype html><html><head><title>One moment</title></head><body>Please wait.</body></html>";
  return { status: 200, body, contentType: "text/html; charset=utf-8" };
}

export interface CompletionFacts {
  readonly id: string;
  readonly model: string;
  readonly finishReason: "stop" | "length" | "content_filter";
  readonly content: string | null;
  readonly refusal: string | null;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Undefined for a service that says nothing of what it writes to its cache. */
  readonly cacheWriteTokens?: number | undefined;
  /** Output tokens, with those of the reasoning. */
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  /** The service tier that answered. */
  readonly tier: string;
  /** The fault of the counts. @default nothing */
  readonly usage?: "missing" | "absurd" | undefined;
}

export function completionReply(facts: CompletionFacts): Reply {
  const { id, model, finishReason, content, refusal, tier, usage } = facts;
  const body = {
    id,
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model,
    service_tier: tier,
    system_fingerprint: "fp_simulator",
    prompt_filter_results: [{ prompt_index: 0, content_filter_results: safe }],
    choices: [
      {
        index: 0,
        finish_reason: finishReason,
        logprobs: null,
        message: { role: "assistant", content, refusal },
        content_filter_results: finishReason === "content_filter" ? { ...safe, violence: filtered } : safe,
      },
    ],
    ...(usage === "missing" ? {} : { usage: usage === "absurd" ? absurdUsage : usageOf(facts) }),
  };
  return { status: 200, body: JSON.stringify(body) };
}

function usageOf({
  promptTokens,
  cachedTokens,
  cacheWriteTokens,
  completionTokens,
  reasoningTokens,
}: CompletionFacts): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: {
      cached_tokens: cachedTokens,
      ...(cacheWriteTokens === undefined ? {} : { cache_write_tokens: cacheWriteTokens }),
      audio_tokens: 0,
    },
    completion_tokens_details: { reasoning_tokens: reasoningTokens, audio_tokens: 0 },
  };
}

const absurdUsage = { prompt_tokens: -1, completion_tokens: 1e15, total_tokens: 1e15 };

const passed = { filtered: false, severity: "safe" };
const safe = { hate: passed, self_harm: passed, sexual: passed, violence: passed };
const filtered = { filtered: true, severity: "high" };
