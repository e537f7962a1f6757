import type { Dispatcher } from "undici";
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
import { AbortListeners } from "./abort-listeners.ts";
import { BearerToken, type TokenProvider } from "./bearer-token.ts";
import {
  ChatBody,
  type ChatFormat,
  type Reasoning,
  type ReasoningEffort,
  reasoningEfforts,
  type SchemaDialect,
  schemaDialects,
} from "./body.ts";
import { readCompletion } from "./answer.ts";
import { createDispatcher, type HTTPAnswer, post, proxyVariables } from "./http.ts";
import { checkPrices } from "../pricing.ts";
import type { Prices } from "../../contracts/prices.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMRequest, LLMResponse } from "../../contracts/provider.ts";
import { serviceError, type ServiceFailure } from "./service-error.ts";

/** The options of every provider of a chat completions API. */
export interface ChatOptions {
  /** The way to give the service the schema of the answer. @default "strict" */
  readonly dialect?: SchemaDialect | undefined;
  /** True for a model that reasons before it answers: it is sent no temperature. @default true if `reasoningEffort` is set */
  readonly reasoning?: boolean | undefined;
  /** The effort of a reasoning model. Each model accepts some of these words. @default the model's own */
  readonly reasoningEffort?: ReasoningEffort | undefined;
  /** Tokens added to a step's `maxOutputTokens` for the reasoning, which counts as output. @default 2048 */
  readonly maxReasoningTokens?: number | undefined;
  /** The time limit of one attempt, its body included, in milliseconds. @default 60000; 180000 for a reasoning model */
  readonly timeoutMs?: number | undefined;
  /** The prices of your tokens, for the cost in the report; none are built in. @default none, and no cost */
  readonly prices?: Prices | undefined;
  /** The deployment's quota of requests per minute: calls are spread so that they stay within it. @default not paced */
  readonly rpm?: number | undefined;
  /**
   * The deployment's quota of tokens per minute. Each call counts with its prompt and its limit of output tokens.
   * @default not paced
   */
  readonly tpm?: number | undefined;
  /**
   * An undici dispatcher (version 7 or later) that carries the requests, for a proxy or a certificate authority of your own.
   * @default kept-alive connections, through the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY if these are set
   */
  readonly dispatcher?: Dispatcher | undefined;
}

export const chatOptionChecks: { readonly [Name in keyof ChatOptions]-?: OptionCheck } = {
  dialect: optional(isOneOf(...schemaDialects)),
  reasoning: optional(isBoolean),
  reasoningEffort: optional(isOneOf(...reasoningEfforts)),
  maxReasoningTokens: optional(isCount(0)),
  timeoutMs: optional(isDuration(1)),
  prices: optional(isObject),
  rpm: optional(isCount(1)),
  tpm: optional(isCount(1)),
  dispatcher: optional(hasFunctions("an undici dispatcher", "dispatch")),
};

/**
 * Checks the options together; `chatOptionChecks` has the checks of each alone.
 *
 * @throws {OptionError} for options that contradict each other, and for wrong prices
 */
export function checkChatOptions(owner: string, options: ChatOptions): void {
  if (options.prices !== undefined) checkPrices(owner, options.prices);
  if (reasoningOf(options) !== undefined) return;
  for (const option of ["reasoningEffort", "maxReasoningTokens"] as const) {
    if (options[option] === undefined) continue;
    throw new OptionError(owner, option, "only a model that reasons takes it", { hint: "set reasoning: true" });
  }
}

/** The environment variables that are read: none if the option `dispatcher` is set. */
export function optionalEnvironmentOf({ dispatcher }: ChatOptions): readonly string[] {
  return dispatcher === undefined ? proxyVariables : [];
}

/** Undefined for a model that does not reason. */
export function reasoningOf(options: ChatOptions): Reasoning | undefined {
  const { reasoningEffort: effort, reasoning = effort !== undefined, maxReasoningTokens: maxTokens = 2048 } = options;
  return reasoning ? { effort, maxTokens } : undefined;
}

/** A key in a header of the service's choice, a provider of tokens, or undefined for a service that wants neither. */
export type Credential =
  | { readonly header: "api-key" | "authorization"; readonly value: string }
  | { readonly tokenProvider: TokenProvider }
  | undefined;

/** One service with its settings resolved. */
export interface ChatService {
  /** The provider's class, for messages. */
  readonly owner: string;
  readonly origin: string;
  readonly path: string;
  readonly credential: Credential;
  readonly format: ChatFormat;
  /** The model's name, for answers that do not name their model. */
  readonly model: string;
  /** The names of the options to check, for errors that a setting causes. */
  readonly settings: ServiceFailure["settings"];
}

/** Sends requests to one service over its chat completions API: one attempt per call, two if a token must be renewed. */
export class ChatCompletions {
  readonly #service: ChatService;
  readonly #body: ChatBody;
  readonly #token: BearerToken | undefined;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #dispatcher: Dispatcher;
  readonly #timeoutMs: number;
  readonly #abortListeners = new AbortListeners();

  /** @throws {OptionError} if HTTPS_PROXY or HTTP_PROXY is not an address */
  constructor(service: ChatService, options: ChatOptions) {
    const { credential, format, owner } = service;
    const { timeoutMs = format.reasoning === undefined ? 60_000 : 180_000 } = options;
    this.#service = service;
    this.#body = new ChatBody(format);
    this.#timeoutMs = timeoutMs;
    this.#dispatcher = options.dispatcher ?? createDispatcher(owner);
    const key = credential !== undefined && "header" in credential ? { [credential.header]: credential.value } : {};
    this.#headers = { "content-type": "application/json", ...key };
    if (credential !== undefined && "tokenProvider" in credential) {
      this.#token = new BearerToken(credential.tokenProvider);
    }
  }

  /** @throws {ProviderError} by the table of `docs/azure-openai.md` */
  async complete(request: LLMRequest, signal: AbortSignal): Promise<LLMResponse> {
    signal.throwIfAborted();
    const body = this.#body.render(request);
    const answer =
      this.#token === undefined
        ? await this.#post(this.#headers, body, signal)
        : await this.#postWithToken(this.#token, body, signal);
    const { settings, model, format, origin } = this.#service;
    if (answer.status !== 200) throw serviceError({ ...answer, body: this.#withoutKey(answer.body), origin, settings });
    return readCompletion(answer, { model, fenced: format.dialect !== "strict" });
  }

  /** A service may quote the key, and its words stand in files. */
  #withoutKey(body: string): string {
    const { credential } = this.#service;
    const key = credential !== undefined && "header" in credential ? credential.value.replace(/^Bearer /, "") : "";
    return key === "" ? body : body.replaceAll(key, "***");
  }

  /** A 401 may mean that the token was revoked or that this machine's clock is wrong, so the token is renewed once. */
  async #postWithToken(bearer: BearerToken, body: string, signal: AbortSignal): Promise<HTTPAnswer> {
    const send = async (token: string): Promise<HTTPAnswer> =>
      await this.#post({ ...this.#headers, authorization: `Bearer ${token}` }, body, signal);
    const current = bearer.get();
    const token = typeof current === "string" ? current : await this.#within(current, signal);
    const answer = await send(token);
    return answer.status === 401 ? await send(await this.#within(bearer.renew(token), signal)) : answer;
  }

  async #post(headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<HTTPAnswer> {
    const { origin, path, settings } = this.#service;
    return await post({
      dispatcher: this.#dispatcher,
      origin,
      setting: settings.endpoint,
      path,
      headers,
      body,
      timeoutMs: this.#timeoutMs,
      signal,
      abortListeners: this.#abortListeners,
    });
  }

  /** Calls share one request for a token. A call that is aborted or times out ends without disturbing the others. */
  async #within(token: Promise<string>, signal: AbortSignal): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    const timer = setTimeout(() => {
      const problem = `tokenProvider returned no token within ${this.#timeoutMs} ms`;
      reject(new ProviderError("transient", "TIMEOUT", problem, { where: "tokenProvider" }));
    }, this.#timeoutMs);
    token.then(resolve, reject);
    try {
      signal.throwIfAborted();
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }
}
