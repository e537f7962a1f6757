import type { Dispatcher } from "undici";
import type { Prices } from "../../contracts/prices.ts";
import { OptionError } from "../../errors/option.ts";
import {
  hasFunctions,
  isBoolean,
  isCount,
  isDuration,
  isObject,
  isOneOf,
  optional,
  type OptionCheck,
} from "../../errors/options.ts";
import { checkPrices } from "../pricing.ts";
import {
  type Reasoning,
  type ReasoningEffort,
  reasoningEfforts,
  type SchemaDialect,
  schemaDialects,
  type ServiceTier,
  serviceTiers,
} from "./body.ts";
import { proxyVariables } from "./http.ts";

/** The options of every provider of a chat completions API. */
export interface ChatOptions {
  /** The way to give the service the schema of the answer. @default "strict" */
  readonly dialect?: SchemaDialect | undefined;
  /**
   * True to tell the model in the system message which fields its reply has: for a service that enforces the schema and does not
   * show it to the model, as llama.cpp's server does. @default false for OpenAI and Azure, which show it; else true
   */
  readonly describeSchema?: boolean | undefined;
  /**
   * True for a model that reasons before it answers: it is sent no temperature, and `max_completion_tokens`.
   * @default true if `reasoningEffort` is set
   */
  readonly reasoning?: boolean | undefined;
  /** The effort of a reasoning model. Each model accepts some of these words. @default the model's own */
  readonly reasoningEffort?: ReasoningEffort | undefined;
  /** Tokens added to a step's `maxOutputTokens` for the reasoning, which counts as output. @default 2048 */
  readonly maxReasoningTokens?: number | undefined;
  /**
   * The service tier, sent as `service_tier`: `flex` costs half, takes longer and is not always there; `priority` is quicker, at more than
   * the price. A model may not have each. Answers of one tier are found by another: the tier is no part of an answer's key.
   * @default the service's own choice
   */
  readonly tier?: ServiceTier | undefined;
  /**
   * The consequence of a tier `flex` that has no room. `none`: calls wait for it, and the run stops, resumable, when it has had none for
   * `admission.capacityTimeoutMs`. `default`: a call that has waited for `tierFallbackMs` goes in the standard tier, at its price.
   * @default "none"
   */
  readonly tierFallback?: "none" | "default" | undefined;
  /** How long a call waits for room in the tier `flex` before it goes in the standard one, in milliseconds. @default 600000 */
  readonly tierFallbackMs?: number | undefined;
  /**
   * The time limit of one attempt, its body included, in milliseconds. A call that times out three times while others are answered may
   * take twice as long, once. @default 60000, 180000 for a reasoning model, 900000 in the tier `flex`; and 100 for each token that it asks for,
   * if that is more
   */
  readonly timeoutMs?: number | undefined;
  /** The prices of your tokens, for the cost in the report. @default the list prices of the model, where `@pydantic/genai-prices` is installed and has them */
  readonly prices?: Prices | undefined;
  /** The deployment's quota of requests per minute: calls are spread so that they stay within it. @default not paced */
  readonly rpm?: number | undefined;
  /**
   * The deployment's quota of tokens per minute. Each call counts with its prompt and its limit of output tokens.
   * @default not paced
   */
  readonly tpm?: number | undefined;
  /**
   * The most bytes of a reply's body, also when it is decompressed. A larger one fails its row and is not asked for again.
   * @default 10000000
   */
  readonly maxResponseBytes?: number | undefined;
  /** Further headers of each request, by name, for a gateway. They may be secrets: no log and no fingerprint has them. @default none */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Further fields of each request's body, for what a service has beside the API. A field takes the place of the one that would be
   * sent under its name. They are part of the fingerprint: other fields are another request. @default none
   */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined;
  /**
   * An undici dispatcher (version 7 or later) that carries the requests, for a proxy or a certificate authority of your own.
   * @default kept-alive connections, through the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY if these are set
   */
  readonly dispatcher?: Dispatcher | undefined;
}

export const chatOptionChecks: { readonly [Name in keyof ChatOptions]-?: OptionCheck } = {
  dialect: optional(isOneOf(...schemaDialects)),
  describeSchema: optional(isBoolean),
  reasoning: optional(isBoolean),
  reasoningEffort: optional(isOneOf(...reasoningEfforts)),
  maxReasoningTokens: optional(isCount(0)),
  tier: optional(isOneOf(...serviceTiers)),
  tierFallback: optional(isOneOf("none", "default")),
  tierFallbackMs: optional(isDuration(0)),
  timeoutMs: optional(isDuration(1)),
  prices: optional(isObject),
  rpm: optional(isCount(1)),
  tpm: optional(isCount(1)),
  maxResponseBytes: optional(isCount(1)),
  headers: optional(isObject),
  extraBody: optional(isObject),
  dispatcher: optional(hasFunctions("an undici dispatcher", "dispatch")),
};

/**
 * Checks the options together; `chatOptionChecks` has the checks of each alone. `credentialHeader` is the header that has the
 * key or token, if there is one.
 *
 * @throws {OptionError} for options that contradict each other, and for wrong prices, headers and fields of the body
 */
export function checkChatOptions(owner: string, options: ChatOptions, credentialHeader?: string): void {
  if (options.prices !== undefined) checkPrices(owner, options.prices);
  checkHeaders(owner, options.headers ?? {}, credentialHeader);
  checkExtraBody(owner, options.extraBody ?? {});
  checkTier(owner, options);
  if (reasoningOf(options) !== undefined) return;
  for (const option of ["reasoningEffort", "maxReasoningTokens"] as const) {
    if (options[option] === undefined) continue;
    throw new OptionError(owner, option, "only a model that reasons takes it", { hint: "set reasoning: true" });
  }
}

/** Azure OpenAI's header for gateways: it wins over the field of the body (Microsoft Learn, "Flex processing"). */
const tierHeader = "x-ms-service-tier";

function checkTier(owner: string, options: ChatOptions): void {
  const { tier, tierFallback, tierFallbackMs, extraBody = {}, headers = {} } = options;
  const hint = "leave out one of them";
  if (tier !== undefined && extraBody[tierField] !== undefined) {
    throw new OptionError(owner, "extraBody", `"${tierField}" is set by the option tier`, { hint });
  }
  if (tier !== undefined && Object.keys(headers).some((name) => name.toLowerCase() === tierHeader)) {
    throw new OptionError(owner, "headers", `"${tierHeader}" would win over the option tier`, { hint });
  }
  if (tierFallback === "default" && tier !== "flex") {
    throw new OptionError(owner, "tierFallback", "only the tier flex has one", { hint: 'set tier: "flex"' });
  }
  if (tierFallbackMs !== undefined && tierFallback !== "default") {
    const problem = "there is no fallback to wait for";
    throw new OptionError(owner, "tierFallbackMs", problem, { hint: 'set tierFallback: "default"' });
  }
}

/** How long a call waits for room in its tier, in milliseconds; undefined where it does not fall back. */
export function tierFallbackOf({ tierFallback, tierFallbackMs = 600_000 }: ChatOptions): number | undefined {
  return tierFallback === "default" ? tierFallbackMs : undefined;
}

/** The environment variables that are read: none if the option `dispatcher` is set. */
export function optionalEnvironmentOf({ dispatcher }: ChatOptions): readonly string[] {
  return dispatcher === undefined ? proxyVariables : [];
}

/** A server of one's own may take so long for a token, in milliseconds. */
const slowTokenMs = 100;

/** The time limit that Azure OpenAI and OpenAI advise for Flex, in milliseconds (Microsoft Learn, "Flex processing"). */
const flexMs = 900_000;

/** The time limit of an attempt that asks for so many tokens, in milliseconds: a model that reasons takes longer. */
export function timeoutOf(
  options: Pick<ChatOptions, "timeoutMs" | "reasoning" | "reasoningEffort" | "tier">,
  tokenLimit = 0,
): number {
  const leastMs = options.tier === "flex" ? flexMs : reasoningOf(options) === undefined ? 60_000 : 180_000;
  return options.timeoutMs ?? Math.max(leastMs, slowTokenMs * tokenLimit);
}

/** Undefined for a model that does not reason. */
export function reasoningOf(options: ChatOptions): Reasoning | undefined {
  const { reasoningEffort: effort, reasoning = effort !== undefined, maxReasoningTokens: maxTokens = 2048 } = options;
  return reasoning ? { effort, maxTokens } : undefined;
}

/** The service tier that requests ask for: by the option, or by a header or a field of the user's own. */
export function tierOf({ tier, headers = {}, extraBody = {} }: ChatOptions): string | undefined {
  const [, inHeader] = Object.entries(headers).find(([name]) => name.toLowerCase() === tierHeader) ?? [];
  const inBody = extraBody[tierField];
  return inHeader ?? tier ?? (typeof inBody === "string" ? inBody : undefined);
}

/** The limit of output tokens that a field of the user's own sets, in place of the request's. */
export function ownTokenLimitOf({ extraBody = {} }: ChatOptions): number | undefined {
  const limits = ["max_completion_tokens", "max_tokens"].map((name) => Number(extraBody[name] ?? 0));
  const most = Math.max(...limits);
  return most > 0 ? most : undefined;
}

/** A copy of the fields of the user's own, in the order of their names, so that their order is none of the fingerprint. */
export function extraBodyOf({ extraBody = {} }: ChatOptions): Readonly<Record<string, unknown>> | undefined {
  if (Object.keys(extraBody).length === 0) return undefined;
  const copy: Readonly<Record<string, unknown>> = JSON.parse(JSON.stringify(extraBody, inOrder));
  return copy;
}

function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** The headers that say how the request travels: they are made with it. */
const headersOfTransport: ReadonlySet<string> = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The errors hold names of headers only: a value may be a secret. */
function checkHeaders(
  owner: string,
  headers: Readonly<Record<string, unknown>>,
  credentialHeader: string | undefined,
): void {
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!/^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name)) {
      throw new OptionError(owner, "headers", "a name is not that of a header", { expected: "letters, digits and -" });
    }
    if (typeof value !== "string" || !/^[\t\x20-\x7E\x80-\xFF]*$/.test(value)) {
      const expected = "text of Latin-1 characters without line breaks";
      throw new OptionError(owner, "headers", `the value of "${name}" can't be sent`, { expected });
    }
    if (headersOfTransport.has(lower)) {
      throw new OptionError(owner, "headers", `"${name}" is set with each request`, { hint: "leave it out" });
    }
    if (lower === credentialHeader) {
      throw new OptionError(owner, "headers", `"${name}" has the key or token already`, {
        hint: "leave out one of them",
      });
    }
  }
}

/** The field of a body that names the tier. */
export const tierField = "service_tier";

const fieldsOfSteps: Readonly<Record<string, string>> = {
  messages: "a step makes them: its prompt, its instructions and its inputMap",
  response_format: "the step's schema makes it: see the option dialect",
  stream: "answers are read whole",
  n: "of each reply one answer is read, and all are paid for",
};

function checkExtraBody(owner: string, extraBody: Readonly<Record<string, unknown>>): void {
  for (const [name, hint] of Object.entries(fieldsOfSteps)) {
    if (Object.hasOwn(extraBody, name)) throw new OptionError(owner, "extraBody", `"${name}" can't be set`, { hint });
  }
  const expected = "an object that JSON can hold";
  if (Array.isArray(extraBody)) throw new OptionError(owner, "extraBody", "", { expected, got: "an array" });
  try {
    JSON.stringify(extraBody);
  } catch {
    throw new OptionError(owner, "extraBody", "", { expected, got: "a bigint or a cycle in it" });
  }
}
