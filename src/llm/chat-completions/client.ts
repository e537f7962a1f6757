import { NotSentError } from "../not-sent.ts";
import type { Dispatcher } from "undici";
import type { LLMRequest, LLMResponse } from "../../contracts/provider.ts";
import { ProviderError } from "../provider-error.ts";
import { AbortListeners } from "./abort-listeners.ts";
import { readCompletion } from "./answer.ts";
import { answerInError, rejectsTokenLimit } from "./answer-in-error.ts";
import { BearerToken, type TokenProvider } from "./bearer-token.ts";
import { ChatBody, type ChatFormat, type TokenLimitName, tokenLimitOf } from "./body.ts";
import { FormatRejection } from "./format-rejection.ts";
import { createDispatcher, post } from "./http.ts";
import { type ChatOptions, tierField, timeoutOf } from "./options.ts";
import { type HTTPAnswer, isSuccess } from "./response-body.ts";
import { formatError, serviceError, type ServiceFailure } from "./service-error.ts";
import type { AskedTier } from "./tier-error.ts";

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

/** The bounds of one attempt in time. */
interface Bounds {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Sends requests to one service over its chat completions API: one attempt per call, two if a token must be renewed. */
export class ChatCompletions {
  readonly #service: ChatService;
  readonly #body: ChatBody;
  readonly #token: BearerToken | undefined;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #dispatcher: Dispatcher;
  readonly #timing: Pick<ChatOptions, "timeoutMs" | "reasoning" | "reasoningEffort" | "tier">;
  readonly #maxResponseBytes: number | undefined;
  readonly #abortListeners = new AbortListeners();
  readonly #formatRejection = new FormatRejection();
  /** The one that the service takes, as far as it has said. */
  #tokenLimit: TokenLimitName;
  #isSchemaIgnored = false;

  /** @throws {OptionError} if HTTPS_PROXY or HTTP_PROXY is not an address */
  constructor(service: ChatService, options: ChatOptions) {
    const { credential, format, owner } = service;
    const { timeoutMs, reasoning, reasoningEffort, tier } = options;
    this.#service = service;
    this.#body = new ChatBody(format);
    this.#tokenLimit = format.tokenLimit;
    this.#timing = { timeoutMs, reasoning, reasoningEffort, tier };
    this.#maxResponseBytes = options.maxResponseBytes;
    this.#dispatcher = options.dispatcher ?? createDispatcher(owner);
    const key = credential !== undefined && "header" in credential ? { [credential.header]: credential.value } : {};
    this.#headers = { ...options.headers, "content-type": "application/json", ...key };
    if (credential !== undefined && "tokenProvider" in credential) {
      this.#token = new BearerToken(credential.tokenProvider);
    }
  }

  /** The bytes of a request's body. */
  requestBytes(request: LLMRequest): number {
    return Buffer.byteLength(this.#body.render(request, this.#tokenLimit));
  }

  /** @throws {ProviderError} by the table of `docs/azure-openai.md` */
  async complete(request: LLMRequest, signal: AbortSignal): Promise<LLMResponse> {
    signal.throwIfAborted();
    const { settings, model, format, origin, path } = this.#service;
    const tokenLimit = tokenLimitOf(request.maxOutputTokens, request.lengthFactor, format.reasoning);
    const { tier = this.#timing.tier, timeoutFactor = 1 } = request;
    const bounds = { signal, timeoutMs: timeoutOf({ ...this.#timing, tier }, tokenLimit) * timeoutFactor };
    const { answer, requestCharacters } = await this.#send(request, bounds);
    const schema = request.schema.json;
    const isStrict = format.dialect === "strict";
    const onSchemaIgnored = this.#onSchemaIgnored;
    const place = { origin, path, settings, asked: this.#askedTier(tier) };
    const reading = { model, schema, requestCharacters, tokenLimit, ...place, isStrict, onSchemaIgnored };
    if (isSuccess(answer.status)) {
      const completion = readCompletion(answer, reading);
      this.#formatRejection.answered();
      return completion;
    }
    const found = answerInError(answer, reading);
    if (found !== undefined) return found;
    const failure = { ...answer, body: this.#withoutKey(answer.body), ...place };
    if (format.dialect !== "none" && this.#formatRejection.isProbeDue(answer)) {
      const probe = await this.#postBody(this.#body.render(request, this.#tokenLimit, false), bounds);
      if (isSuccess(probe.status)) throw formatError(failure, format.dialect, readCompletion(probe, reading).usage);
    }
    throw serviceError(failure);
  }

  /** Undefined where the body names none. */
  #askedTier(tier: string | undefined): AskedTier | undefined {
    const { owner, format } = this.#service;
    const named = format.extraBody?.[tierField] ?? tier;
    return typeof named === "string" ? { tier: named.slice(0, 40), owner } : undefined;
  }

  /** Sends a request, and once more where the service takes the limit of output tokens under its other name only. */
  async #send(
    request: LLMRequest,
    bounds: Bounds,
  ): Promise<{ readonly answer: HTTPAnswer; readonly requestCharacters: number }> {
    const name = this.#tokenLimit;
    const body = this.#body.render(request, name);
    const answer = await this.#postBody(body, bounds);
    if (!rejectsTokenLimit(answer, name)) return { answer, requestCharacters: body.length };
    const other = name === "max_tokens" ? "max_completion_tokens" : "max_tokens";
    const renamed = this.#body.render(request, other);
    const second = await this.#postBody(renamed, bounds);
    if (rejectsTokenLimit(second, other)) return { answer, requestCharacters: body.length };
    this.#tokenLimit = other;
    return { answer: second, requestCharacters: renamed.length };
  }

  async #postBody(body: string, bounds: Bounds): Promise<HTTPAnswer> {
    return this.#token === undefined
      ? await this.#post(this.#headers, body, bounds)
      : await this.#postWithToken(this.#token, body, bounds);
  }

  /** Warns once: every such answer is asked for again. */
  readonly #onSchemaIgnored = (): void => {
    const { origin, owner } = this.#service;
    if (this.#isSchemaIgnored) return;
    this.#isSchemaIgnored = true;
    const problem = `${owner}: the service at ${origin} does not hold its model to the schema (an answer had other text around its JSON)`;
    const hint = 'set dialect: "json_object" or "none", which put the schema into the system message';
    process.emitWarning(`${problem}: ${hint}`, { type: "LLMEtlWarning", code: "SCHEMA_IGNORED" });
  };

  /** A service may quote the key, and its words stand in files. */
  #withoutKey(body: string): string {
    const { credential } = this.#service;
    const key = credential !== undefined && "header" in credential ? credential.value.replace(/^Bearer /, "") : "";
    return key === "" ? body : body.replaceAll(key, "***");
  }

  /** A 401 may mean that the token was revoked or that this machine's clock is wrong, so the token is renewed once. */
  async #postWithToken(bearer: BearerToken, body: string, bounds: Bounds): Promise<HTTPAnswer> {
    const send = async (token: string): Promise<HTTPAnswer> =>
      await this.#post({ ...this.#headers, authorization: `Bearer ${token}` }, body, bounds);
    const current = bearer.get();
    const token = typeof current === "string" ? current : await this.#firstToken(current, bounds);
    const answer = await send(token);
    if (answer.status !== 401) return answer;
    const renewed = await this.#within(bearer.renew(token), bounds);
    const second = await send(renewed);
    if (second.status === 401) bearer.discard(renewed);
    return second;
  }

  async #post(headers: Readonly<Record<string, string>>, body: string, bounds: Bounds): Promise<HTTPAnswer> {
    const { origin, path, settings } = this.#service;
    return await post({
      dispatcher: this.#dispatcher,
      origin,
      setting: settings.endpoint,
      path,
      headers,
      body,
      ...bounds,
      maxResponseBytes: this.#maxResponseBytes,
      abortListeners: this.#abortListeners,
    });
  }

  /** Before the first token is there, nothing was sent. */
  async #firstToken(token: Promise<string>, bounds: Bounds): Promise<string> {
    try {
      return await this.#within(token, bounds);
    } catch (error) {
      throw bounds.signal.aborted ? new NotSentError(bounds.signal.reason) : error;
    }
  }

  /** Calls share one request for a token. A call that is aborted or times out ends without disturbing the others. */
  async #within(token: Promise<string>, { signal, timeoutMs }: Bounds): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    const timer = setTimeout(() => {
      const problem = `tokenProvider returned no token within ${timeoutMs} ms`;
      reject(new ProviderError("transient", "TIMEOUT", problem, { where: "tokenProvider" }));
    }, timeoutMs);
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
