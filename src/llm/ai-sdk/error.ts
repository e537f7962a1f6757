import { z } from "zod";
import { nameOf } from "../../errors/error-text.ts";
import { describeThrown } from "../../errors/thrown.ts";
import { ProviderError } from "../provider-error.ts";
import { answerInError, type ErrorReading } from "../chat-completions/answer-in-error.ts";
import type { LLMResponse } from "../../contracts/provider.ts";
import { unreachableOf } from "../chat-completions/unreachable.ts";
import { serviceError } from "../chat-completions/service-error.ts";

/** The fields that are read of an AI SDK error. An APICallError has a status once the service has answered. */
const CallError = z.object({
  statusCode: z.number().optional(),
  responseHeaders: z.record(z.string(), z.string().optional()).nullish(),
  responseBody: z.string().nullish(),
  isRetryable: z.boolean().optional(),
  url: z.string().optional(),
});

const settings = {
  credential: "the key of the AI SDK model's provider",
  endpoint: "the address of the AI SDK model's provider",
  deployment: "the name of the AI SDK model",
};

const namesOfSettings = new Set(["AI_LoadAPIKeyError", "AI_LoadSettingError"]);
const namesOfUnsupported = new Set([
  "AI_UnsupportedFunctionalityError",
  "AI_InvalidPromptError",
  "AI_NoSuchModelError",
]);
const namesOfUnreadable = new Set([
  "AI_EmptyResponseBodyError",
  "AI_InvalidResponseDataError",
  "AI_JSONParseError",
  "AI_NoContentGeneratedError",
  "AI_TypeValidationError",
]);

/**
 * Turns anything that an AI SDK model threw into the error of the table in `docs/azure-openai.md`. It recognises errors by
 * their fields and names. `thrown` does not become the `cause`: it holds the request with the row, and the answer.
 */
export function aiSdkError(model: string, thrown: unknown): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  const { statusCode, responseHeaders, responseBody, isRetryable, url } = CallError.safeParse(thrown).data ?? {};
  const headers = responseHeaders ?? {};
  const name = thrown instanceof Error ? thrown.name : "";
  const facts = { cause: new Error(nameOf(thrown)) };
  if (statusCode !== undefined && (statusCode < 200 || statusCode >= 300)) {
    const origin = URL.parse(url ?? "")?.origin;
    return serviceError({ status: statusCode, headers, body: responseBody ?? "", origin, settings });
  }
  if (isFetchFailure(thrown)) return networkError(model, thrown);
  if (statusCode !== undefined || namesOfUnreadable.has(name)) {
    const problem = `${model}: the service's answer can't be read (${nameOf(thrown)})`;
    return new ProviderError("transient", "INVALID_RESPONSE", problem, { ...facts, status: statusCode });
  }
  if (namesOfSettings.has(name)) {
    // The AI SDK's message names the missing option and variable, and holds nothing else.
    const problem = thrown instanceof Error ? thrown.message : "";
    return new ProviderError("run", "SETTING_MISSING", `${model}: ${problem}`, facts);
  }
  if (namesOfUnsupported.has(name)) {
    const problem = `${model}: the AI SDK's provider can't send such a request (${nameOf(thrown)})`;
    return new ProviderError("run", "BAD_REQUEST", problem, facts);
  }
  if (isRetryable === true) return networkError(model, thrown);
  return new ProviderError("row", "PROVIDER_FAILED", `${model} threw ${describeThrown(thrown)}`, facts);
}

/** The answer that an error of the service is about: see `answerInError`. */
export function answerInAiSdkError(thrown: unknown, reading: ErrorReading): LLMResponse | undefined {
  const { statusCode, responseHeaders, responseBody } = CallError.safeParse(thrown).data ?? {};
  if (statusCode === undefined) return undefined;
  return answerInError({ status: statusCode, headers: responseHeaders ?? {}, body: responseBody ?? "" }, reading);
}

function networkError(model: string, thrown: unknown): ProviderError {
  const code = codeIn(thrown);
  const unreachable = unreachableOf(code);
  const problem = `${model}: the connection failed${code === undefined ? "" : ` (${code})`}`;
  const hint = unreachable === undefined ? undefined : `check ${settings.endpoint}`;
  return new ProviderError("transient", "NETWORK_ERROR", problem, {
    cause: new Error(nameOf(thrown)),
    unreachable,
    hint,
  });
}

/** The built-in fetch throws a TypeError for every failure: a body that breaks off is "terminated". */
function isFetchFailure(error: unknown): boolean {
  if (error instanceof TypeError) return error.message === "terminated" || error.message === "fetch failed";
  return error instanceof Error && error.cause instanceof TypeError && isFetchFailure(error.cause);
}

/** The code of the innermost cause, for example ECONNRESET. */
function codeIn(error: unknown): string | undefined {
  let bottom = error;
  for (let depth = 0; depth < 5 && bottom instanceof Error && bottom.cause instanceof Error; depth += 1) {
    bottom = bottom.cause;
  }
  const code = bottom instanceof Error && "code" in bottom ? bottom.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{1,40}$/.test(code) ? code : undefined;
}
