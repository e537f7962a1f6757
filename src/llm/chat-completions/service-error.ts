import { z } from "zod";
import { ProviderError, type ProviderErrorFacts } from "../provider-error.ts";

/** An HTTP answer with a status other than 200. */
export interface ServiceFailure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  /** The names of the options to check, for errors that a setting causes. */
  readonly settings: { readonly credential: string; readonly endpoint: string; readonly deployment: string };
}

/** A service that asks for a longer wait (in milliseconds) has used up its quota, and not only reached a rate limit. */
const longestRetryAfterMs = 600_000;

const statusesOfTransient = new Set([408, 409, 425, 499]);

/**
 * Error bodies of Azure OpenAI and OpenAI. API Management and vLLM put their own `message` at the top level; other services
 * send the error as text.
 */
const ErrorBody = z.object({
  message: z.string().nullish(),
  error: z
    .union([
      z.string().transform((message) => ({ message })),
      z.object({
        param: z.string().nullish(),
        code: z.union([z.string(), z.number()]).nullish(),
        message: z.string().nullish(),
        innererror: z
          .object({ code: z.string().nullish(), content_filter_result: z.record(z.string(), z.unknown()).nullish() })
          .nullish(),
      }),
    ])
    .transform((error): ErrorFields => error)
    .nullish(),
});

interface ErrorFields {
  readonly param?: string | null | undefined;
  readonly code?: string | number | null | undefined;
  readonly message?: string | null | undefined;
  readonly innererror?:
    | {
        readonly code?: string | null | undefined;
        readonly content_filter_result?: Readonly<Record<string, unknown>> | null | undefined;
      }
    | null
    | undefined;
}
type ErrorBody = z.output<typeof ErrorBody>;

/**
 * Makes the error of a failure, by the table of `docs/azure-openai.md`. Its class decides whether the call is tried again,
 * the row fails or the run ends. The message holds neither key nor row text; `detail` holds the service's own words.
 */
export function serviceError({ status, headers, body, settings }: ServiceFailure): ProviderError {
  const parsed = parseBody(body);
  const code = String(parsed.error?.code ?? "");
  const retryAfterMs = retryAfterOf(headers);
  const facts: ProviderErrorFacts = { status, requestId: requestIdOf(headers), retryAfterMs };

  if (status === 401) {
    const hint = `check ${settings.credential}`;
    const problem = "401: the service does not accept the key or token";
    return new ProviderError("run", "AUTHENTICATION_FAILED", problem, { ...facts, hint });
  }
  if (status === 403) {
    const problem = "403: access is denied (network rules, a suspended resource or a missing role)";
    const hint = `check ${settings.endpoint} and the caller's role`;
    return new ProviderError("run", "FORBIDDEN", problem, { ...facts, hint });
  }
  if (status === 404) {
    const problem = "404: there is no such deployment or model at this endpoint (a new one takes minutes to appear)";
    const hint = `check ${settings.deployment} and ${settings.endpoint}`;
    return new ProviderError("run", "DEPLOYMENT_NOT_FOUND", problem, { ...facts, hint });
  }
  if (status === 429) return rateLimitError(code, facts);
  if (status >= 500 || statusesOfTransient.has(status)) {
    const errorCode = status === 408 ? "TIMEOUT" : "SERVICE_UNAVAILABLE";
    return new ProviderError("transient", errorCode, `${status}: the service could not answer for now`, facts);
  }
  if (status >= 300 && status < 400) {
    const problem = `${status}: the service redirects, and a redirect is not followed because it would take the key along`;
    return new ProviderError("run", "BAD_REQUEST", problem, { ...facts, hint: `check ${settings.endpoint}` });
  }
  return requestError(status, code, parsed, facts);
}

/** The service's own id of a request, for its support. */
export function requestIdOf(headers: ServiceFailure["headers"]): string | undefined {
  return headerText(headers["apim-request-id"]) ?? headerText(headers["x-request-id"]);
}

/** The wait that the service asks for, in milliseconds: `retry-after-ms` wins over `retry-after` (seconds or a date). */
export function retryAfterOf(headers: ServiceFailure["headers"], now: number = Date.now()): number | undefined {
  const milliseconds = Number(headerText(headers["retry-after-ms"]) ?? Number.NaN);
  if (Number.isFinite(milliseconds) && milliseconds >= 0) return milliseconds;
  const text = headerText(headers["retry-after"]);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function rateLimitError(code: string, facts: ProviderErrorFacts): ProviderError {
  const { retryAfterMs = 0 } = facts;
  if (code === "insufficient_quota" || retryAfterMs > longestRetryAfterMs) {
    const problem = "429: the quota is used up";
    const wait = retryAfterMs > 0 ? `, until ${Math.ceil(retryAfterMs / 60_000)} minutes from now` : "";
    const hint = "raise it, or run again later";
    return new ProviderError("run", "QUOTA_EXHAUSTED", `${problem}${wait}`, { ...facts, hint });
  }
  return new ProviderError("transient", "RATE_LIMITED", "429: the rate limit is reached", facts);
}

function requestError(status: number, code: string, body: ErrorBody, facts: ProviderErrorFacts): ProviderError {
  const inner = body.error?.innererror;
  if (code === "content_filter" || code === "invalid_prompt" || inner?.code === "ResponsibleAIPolicyViolation") {
    const names = filteredCategories(inner?.content_filter_result ?? {});
    const which = names.length === 0 ? "" : ` (${names.join(", ")})`;
    const problem = `${status}: the content filter rejected the row's text${which}`;
    return new ProviderError("row", "CONTENT_FILTER", problem, {
      ...facts,
      where: names.length > 0 ? names : undefined,
    });
  }
  const isTooLong = tooLong.test(body.error?.message ?? body.message ?? "");
  if (status === 413 || code === "context_length_exceeded" || code === "string_above_max_length" || isTooLong) {
    const problem = `${status}: the request is longer than the model takes`;
    return new ProviderError("row", "CONTEXT_LENGTH_EXCEEDED", problem, { ...facts, hint: "set maxInputCharacters" });
  }
  const reasons = [code, body.error?.param ?? ""].filter((word) => /^[\w.[\]-]{1,64}$/.test(word));
  const where = reasons.length > 0 ? reasons : undefined;
  const problem = `${status}: the service rejected the request${reasons.length === 0 ? "" : ` (${reasons.join(", ")})`}`;
  const said = (body.error?.message ?? body.message ?? "no reason given").slice(0, maxSaidCharacters);
  const hint = hintOfReasoning(body.error?.param ?? "", said);
  return new ProviderError("row", "BAD_REQUEST", problem, { ...facts, where, hint, detail: `${problem}: ${said}` });
}

/** A reasoning model rejects what other models take. */
function hintOfReasoning(param: string, said: string): string | undefined {
  const isOfOthers = /^(temperature|max_tokens|top_p)$/.test(param) || /['"`](temperature|max_tokens)['"`]/.test(said);
  return isOfOthers ? "set reasoning: true if the model reasons" : undefined;
}

/** The words of vLLM and llama.cpp's server, which have no code for a request that is too long. */
const tooLong = /maximum context length|available context size/i;

const maxSaidCharacters = 300;

/** The names of the filters that acted, and never the text that they acted on. */
function filteredCategories(results: Readonly<Record<string, unknown>>): string[] {
  const Filter = z.object({ filtered: z.literal(true) });
  return Object.entries(results).flatMap(([name, result]) => (Filter.safeParse(result).success ? [name] : []));
}

function parseBody(body: string): ErrorBody {
  try {
    return ErrorBody.safeParse(JSON.parse(body)).data ?? {};
  } catch {
    return {}; // a proxy's page, say: the status alone decides
  }
}

function headerText(value: string | readonly string[] | undefined): string | undefined {
  const text = typeof value === "string" ? value : value?.[0];
  return text?.trim() === "" ? undefined : text;
}
