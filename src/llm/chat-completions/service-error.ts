import { z } from "zod";
import { namesBilling } from "../billing-words.ts";
import { type ErrorBody, isCodeName, readErrorBody } from "./error-body.ts";
import { type AskedTier, tierError } from "./tier-error.ts";
import type { TokenUsage } from "../../contracts/provider.ts";
import { ProviderError, type ProviderErrorFacts } from "../provider-error.ts";

/** An HTTP reply that is no answer. */
export interface ServiceFailure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  /** The address that replied, without its path. @default it is not named */
  readonly origin?: string | undefined;
  /** The path that was asked. @default it is not named */
  readonly path?: string | undefined;
  /** The service tier that was asked for by name. @default none: then no error is about it */
  readonly asked?: AskedTier | undefined;
  /** The names of the options to check, for errors that a setting causes. */
  readonly settings: { readonly credential: string; readonly endpoint: string; readonly deployment: string };
}

/** A service that asks for a longer wait (in milliseconds) has used up its quota, and not only reached a rate limit. */
const longestRetryAfterMs = 600_000;

const statusesOfTransient = new Set([408, 409, 425, 499]);

/**
 * Makes the error of a failure, by the table of `docs/azure-openai.md`. Its class decides whether the call is tried again,
 * the row fails or the run ends. The message holds neither key nor row text; `detail` holds the service's own words.
 */
export function serviceError(failure: ServiceFailure): ProviderError {
  const { status, headers, settings, asked } = failure;
  const body = readErrorBody(failure.body);
  const retryAfterMs = retryAfterOf(headers);
  const facts = { status, requestId: requestIdOf(headers), retryAfterMs };
  const seen = { ...facts, got: sourceOf(failure, body) };
  const endpoint = body.foreign === undefined ? undefined : `check ${settings.endpoint}`;

  if (status === 401) {
    const hint = `check ${settings.credential}${body.foreign === undefined || body.words === "" ? "" : ` and ${settings.endpoint}`}`;
    const problem = "401: the service does not accept the key or token";
    return new ProviderError("run", "AUTHENTICATION_FAILED", problem, { ...seen, hint }); // the words may quote the key
  }
  if (status === 402 || billingCodes.has(body.code.toLowerCase()) || billingCodes.has(body.type.toLowerCase())) {
    return quotaError("run", body, facts);
  }
  const ofTier = asked === undefined ? undefined : tierError(asked, body, facts);
  if (ofTier !== undefined) return ofTier;
  if (status === 429) return rateLimitError(body, facts);
  if (status >= 500 || statusesOfTransient.has(status)) {
    const errorCode = status === 408 ? "TIMEOUT" : "SERVICE_UNAVAILABLE";
    const where = isCodeName(body.code) ? [body.code] : undefined;
    const problem = `${status}: the service could not answer for now${where === undefined ? "" : ` (${body.code})`}`;
    const hint = body.words === "" ? undefined : endpoint; // an empty body is usual here
    return new ProviderError("transient", errorCode, problem, withWords(problem, body, { ...seen, where, hint }));
  }
  if (status >= 300 && status < 400) {
    const problem = `${status}: the service redirects, and a redirect is not followed because it would take the key along`;
    const hint = `check ${settings.endpoint}`;
    return new ProviderError("row", "BAD_REQUEST", problem, withWords(problem, body, { ...seen, hint }));
  }
  return ownError(status, body, facts) ?? rejection(failure, body, { ...seen, hint: endpoint });
}

/** An error of the row's own, which no other row need share: filtered or too long. */
function ownError(status: number, body: ErrorBody, facts: ProviderErrorFacts): ProviderError | undefined {
  const isFilter = filterCodes.has(body.code.toLowerCase()) || filterCodes.has(body.type.toLowerCase());
  if (
    isFilter ||
    body.innerCode === "ResponsibleAIPolicyViolation" ||
    filterPhrases.some((phrase) => body.words.toLowerCase().includes(phrase))
  ) {
    const names = filteredCategories(body.filters);
    const which = names.length === 0 ? "" : ` (${names.join(", ")})`;
    const problem = `${status}: the content filter rejected the row's text${which}`;
    const where = names.length > 0 ? names : undefined;
    return new ProviderError("row", "CONTENT_FILTER", problem, { ...facts, where });
  }
  return status === 413 || tooLongCodes.has(body.code) || tooLong.test(body.words)
    ? tooLongError(status, facts)
    : undefined;
}

function tooLongError(status: number, facts: ProviderErrorFacts): ProviderError {
  const problem = `${status}: the request is longer than the model takes`;
  const hint = "set maxInputCharacters";
  return new ProviderError("row", "CONTEXT_LENGTH_EXCEEDED", problem, { ...facts, hint });
}

/** Any other 4xx: of the row, until other rows show that it concerns all. */
function rejection(failure: ServiceFailure, body: ErrorBody, facts: ProviderErrorFacts): ProviderError {
  const { status, settings } = failure;
  if (status === 403) {
    const problem =
      "403: access is denied (network rules, a suspended resource, a missing role, or a firewall that blocks this text)";
    const hint = `check ${settings.endpoint} and the caller's role`;
    return new ProviderError("row", "FORBIDDEN", problem, withWords(problem, body, { ...facts, hint }));
  }
  if (status === 404 || status === 405) {
    const problem = `${status}: there is no such deployment or model at this endpoint (a new one takes minutes to appear)`;
    const hint = remedyOfPath(failure) ?? `check ${settings.deployment} and ${settings.endpoint}`;
    return new ProviderError("row", "DEPLOYMENT_NOT_FOUND", problem, withWords(problem, body, { ...facts, hint }));
  }
  const reasons = [...(isCodeName(body.code) ? [body.code] : []), ...body.where];
  const where = reasons.length > 0 ? reasons : undefined;
  const problem = `${status}: the service rejected the request${reasons.length === 0 ? "" : ` (${reasons.join(", ")})`}`;
  const hint = hintOfReasoning(body) ?? hintOfTier(failure) ?? facts.hint;
  return new ProviderError("row", "BAD_REQUEST", problem, withWords(problem, body, { ...facts, where, hint }));
}

/** Services have the API under /v1 or the like. A path without it is the likeliest reason why there is nothing. */
function remedyOfPath({ path, settings }: ServiceFailure): string | undefined {
  if (path === undefined || /\/(?:v\d|openai)/.test(path)) return undefined;
  const base = path.replace(/\/chat\/completions$/, "");
  return `POST ${path} was asked, and most services have it under ${base}/v1: end ${settings.endpoint} with /v1`;
}

/**
 * The error of a service that answers without `response_format` what it fails with it: no call of this dialect will be answered.
 * `usage` is that of the answer without it, which was paid for.
 */
export function formatError(failure: ServiceFailure, dialect: string, usage: TokenUsage): ProviderError {
  const { status, headers } = failure;
  const problem = `${status}: the service fails with a response_format, and answers the same prompt without one`;
  const expected = dialect === "json_object" ? 'dialect: "none"' : 'dialect: "json_object" or "none"';
  const facts = { status, requestId: requestIdOf(headers), expected, got: `dialect: "${dialect}"`, usage };
  return new ProviderError("run", "BAD_REQUEST", problem, withWords(problem, readErrorBody(failure.body), facts));
}

/** The service's words stand in the detail alone, as they may quote the row. */
function withWords(problem: string, { words }: ErrorBody, facts: ProviderErrorFacts): ProviderErrorFacts {
  return words === "" ? facts : { ...facts, detail: `${problem}: ${words}` };
}

/** The kind of the body and the host that sent it, where that is no service of chat completions; where it redirects to. */
function sourceOf({ status, headers, origin = "" }: ServiceFailure, { foreign }: ErrorBody): string | undefined {
  const isRedirect = status >= 300 && status < 400;
  if (foreign === undefined && !isRedirect) return undefined;
  const target = URL.parse(headerText(headers["location"]) ?? "", origin === "" ? undefined : origin)?.host;
  const to = isRedirect && target !== undefined ? `a redirect to ${target}, with ` : "";
  const from = URL.parse(origin)?.host;
  return `${to}${foreign ?? "JSON"}${from === undefined ? "" : ` from ${from}`}`;
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

function rateLimitError(body: ErrorBody, facts: ProviderErrorFacts): ProviderError {
  const { retryAfterMs = 0 } = facts;
  if (isTooLarge(body.words)) return tooLongError(429, facts);
  if (retryAfterMs > longestRetryAfterMs) return quotaError("run", body, facts);
  // By words alone it is one row's, until another has it: Google's say the same of a limit of requests a minute, and then when to come again.
  if (namesBilling(body.words) && !body.saysWhen) return quotaError("row", body, facts);
  return new ProviderError("transient", "RATE_LIMITED", "429: the rate limit is reached", facts);
}

/** A reasoning model rejects what other models take. */
function hintOfReasoning({ where, words }: ErrorBody): string | undefined {
  const isOfOthers =
    where.some((field) => /^(temperature|max_tokens|top_p)$/.test(field)) ||
    /['"`](temperature|max_tokens)['"`]/.test(words);
  return isOfOthers ? "set reasoning: true if the model reasons" : undefined;
}

/** A service may reject a tier without a word of it. */
function hintOfTier({ status, asked }: ServiceFailure): string | undefined {
  if (status !== 400 || asked === undefined) return undefined;
  return `leave out tier if the model has no service tier "${asked.tier}"`;
}

function quotaError(errorClass: "row" | "run", body: ErrorBody, facts: ProviderErrorFacts): ProviderError {
  const { status, retryAfterMs = 0 } = facts;
  const wait = retryAfterMs > 0 ? `, until ${Math.ceil(retryAfterMs / 60_000)} minutes from now` : "";
  const problem = `${status}: the quota is used up, or the account is empty${wait}`;
  const hint = "raise it, or run again later";
  return new ProviderError(errorClass, "QUOTA_EXHAUSTED", problem, withWords(problem, body, { ...facts, hint }));
}

/** True if this request alone is more than the limit: no wait helps it. */
function isTooLarge(words: string): boolean {
  if (/request (?:is )?too large|must be reduced in order to run/i.test(words)) return true;
  const [, limit] = /\blimit:? (\d{1,12})\b/i.exec(words) ?? [];
  const [, requested] = /\brequested:? (\d{1,12})\b/i.exec(words) ?? [];
  return Number(requested ?? 0) > Number(limit ?? Infinity);
}

/** Codes of services whose account is empty or closed: of OpenAI, Anthropic, Moonshot, DashScope, Volcengine, One API. */
const billingCodes = new Set([
  "insufficient_quota",
  "billing_hard_limit_reached",
  "billing_not_active",
  "billing_error",
  "insufficient_balance",
  "insufficient_credits",
  "insufficient_user_quota",
  "exceeded_current_quota_error",
  "payment_required",
  "arrearage",
  "accountoverdueerror",
]);

const filterCodes = new Set([
  "content_filter",
  "content_policy_violation",
  "data_inspection_failed",
  "datainspectionfailed",
  "invalid_prompt",
  "moderation_blocked",
]);
const filterPhrases = [
  "content management policy",
  "content filter policy",
  "content filtering policy",
  "flagged as potentially violating",
  "was flagged by",
  "requires moderation",
];

const tooLongCodes = new Set(["context_length_exceeded", "string_above_max_length", "request_too_large"]);

/** The words of services that have no code for a request that is too long, among them vLLM, llama.cpp, TGI, Mistral, xAI and Gemini. */
const tooLong =
  /(?:maximum|max) (?:context|prompt|input|model) length|context (?:size|window|length)|(?:prompt|input|request|text|string) (?:is )?too (?:long|large)|longer than the maximum|reduce the length|too many (?:input )?tokens|input token count|too large for model/i;

/** The filters of Azure OpenAI, by its documentation. A name that is not among them may be a text of the row. */
const filterNames: ReadonlySet<string> = new Set(
  (
    "hate self_harm sexual violence profanity jailbreak indirect_attack custom_blocklists custom_topics " +
    "protected_material_text protected_material_code ungrounded_material task_adherence"
  ).split(" "),
);

/** The names of the filters that acted, and never the text that they acted on. */
function filteredCategories(results: Readonly<Record<string, unknown>>): string[] {
  const Filter = z.object({ filtered: z.literal(true) });
  const acted = Object.entries(results).filter(([, result]) => Filter.safeParse(result).success);
  return acted.flatMap(([name]) => (filterNames.has(name) ? [name] : []));
}

function headerText(value: string | readonly string[] | undefined): string | undefined {
  const text = typeof value === "string" ? value : value?.[0];
  return text?.trim() === "" ? undefined : text;
}
