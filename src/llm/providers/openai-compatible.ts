import type { Requirements } from "../../contracts/requirements.ts";
import { OptionError, SettingError } from "../../errors/option.ts";
import { checkOptions, isBoolean, isName, optional } from "../../errors/options.ts";
import { type ChatFormat, omissionsOf } from "../chat-completions/body.ts";
import { ChatCompletions, type ChatService, type Credential } from "../chat-completions/client.ts";
import { fingerprintsOf, type ServiceFingerprints } from "../chat-completions/fingerprints.ts";
import {
  chatOptionChecks,
  type ChatOptions,
  checkChatOptions,
  extraBodyOf,
  ownTokenLimitOf,
  tierOf,
  optionalEnvironmentOf,
  reasoningOf,
  tierFallbackOf,
  timeoutOf,
} from "../chat-completions/options.ts";
import { listingAt } from "../chat-completions/listing.ts";
import type { PriceListing, Prices } from "../../contracts/prices.ts";
import type { BatchService } from "../../contracts/provider.ts";
import { type BatchFileOptions, checkBatchFiles, defaultMaxBytes, openAIMaxRequests } from "../batch-api/options.ts";
import { BatchAPI } from "../batch-api/service.ts";
import { createDispatcher } from "../chat-completions/http.ts";
import { serviceURL } from "../chat-completions/url.ts";
import type {
  FormerProvider,
  LLMProvider,
  LLMRequest,
  LLMResponse,
  Quota,
  RequestPart,
} from "../../contracts/provider.ts";

export interface OpenAICompatibleProviderOptions extends ChatOptions {
  /** The address up to `/chat/completions`, for example `https://api.openai.com/v1` or `http://localhost:11434/v1`. */
  readonly baseURL: string;
  /** The service's name for the model. */
  readonly model: string;
  /**
   * The key, sent as a bearer token.
   * @default none; for `https://api.openai.com` the variable OPENAI_API_KEY, which is sent to no other host
   */
  readonly apiKey?: string | undefined;
  /** True, or the sizes of files, for a service with OpenAI's Batch API: runs over it cost half at OpenAI. @default false */
  readonly batch?: boolean | BatchFileOptions | undefined;
  /** Allows plain http to other hosts than this machine: anybody on the way can read rows and key. @default false */
  readonly allowHTTP?: boolean | undefined;
}

interface Resolved extends ServiceFingerprints {
  readonly chat: ChatCompletions;
  readonly omits: readonly RequestPart[];
  readonly batch: BatchService | undefined;
}

const owner = "OpenAICompatibleProvider";
const openAI = "https://api.openai.com";

/**
 * Sends requests to any service with OpenAI's chat completions API: OpenAI, vLLM, Ollama, LM Studio, llama.cpp's server.
 *
 * @example new OpenAICompatibleProvider({ baseURL: "http://localhost:11434/v1", model: "llama3.1" })
 */
export class OpenAICompatibleProvider implements LLMProvider {
  readonly name = "openai-compatible";
  readonly prices: Prices | undefined;
  readonly listing: PriceListing | undefined;
  readonly quota: Quota;
  readonly requirements: Requirements;
  readonly #options: OpenAICompatibleProviderOptions;
  readonly maxReasoningTokens: number;
  readonly timeoutMs: number;
  readonly tier: string | undefined;
  readonly tierFallbackMs: number | undefined;
  readonly maxAnswerTokens: number | undefined;
  #resolved: Resolved | undefined;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: OpenAICompatibleProviderOptions) {
    checkOptions<OpenAICompatibleProviderOptions>(owner, options, {
      baseURL: isName,
      model: isName,
      apiKey: optional(isName),
      allowHTTP: optional(isBoolean),
      batch: optional({ expected: "true, or an object", fits: () => true, required: true }),
      ...chatOptionChecks,
    });
    if (options.batch !== undefined) checkBatchFiles(owner, options.batch);
    const hasKey = options.apiKey !== undefined || urlOf(options).origin === openAI;
    checkChatOptions(owner, options, hasKey ? "authorization" : undefined);
    this.#options = { ...options, headers: { ...options.headers }, extraBody: { ...options.extraBody } };
    this.prices = options.prices;
    this.quota = { rpm: options.rpm, tpm: options.tpm };
    this.maxReasoningTokens = reasoningOf(options)?.maxTokens ?? 0;
    this.timeoutMs = timeoutOf(options);
    this.tier = tierOf(options);
    this.tierFallbackMs = tierFallbackOf(options);
    this.maxAnswerTokens = ownTokenLimitOf(options);
    const { origin, path } = urlOf(options);
    this.listing = listingAt(`${origin}${path}`, { model: options.model });
    this.requirements = {
      environment: origin === openAI && options.apiKey === undefined ? ["OPENAI_API_KEY"] : [],
      optionalEnvironment: optionalEnvironmentOf(options),
    };
  }

  /** @throws {SettingError} if the key of OpenAI is missing */
  readonly fingerprint = (): string => this.#resolve().fingerprint;

  readonly former = (): FormerProvider | undefined => this.#resolve().former;

  get omits(): readonly RequestPart[] {
    return this.#resolve().omits;
  }

  get batch(): BatchService | undefined {
    return this.#resolve().batch;
  }

  /**
   * @throws {ProviderError} by the table of `docs/azure-openai.md`
   * @throws {SettingError} if the key of OpenAI is missing
   */
  readonly complete = async (request: LLMRequest, signal: AbortSignal): Promise<LLMResponse> =>
    await this.#resolve().chat.complete(request, signal);

  readonly requestBytes = (request: LLMRequest): number => this.#resolve().chat.requestBytes(request);

  #resolve(): Resolved {
    if (this.#resolved !== undefined) return this.#resolved;
    const { origin, path: base } = urlOf(this.#options);
    const { model, dialect = "strict", describeSchema = !showsSchema(origin) } = this.#options;
    const isOpenAI = origin === openAI;
    const reasoning = reasoningOf(this.#options);
    const format: ChatFormat = {
      model,
      dialect,
      describesSchema: describeSchema,
      // OpenAI's newer models and reasoning models reject max_tokens; Ollama and others ignore any limit with another name.
      tokenLimit: isOpenAI || reasoning !== undefined ? "max_completion_tokens" : "max_tokens",
      takesCacheKey: isOpenAI,
      reasoning,
      tier: this.#options.tier,
      extraBody: extraBodyOf(this.#options),
    };
    const credential = credentialOf(this.#options.apiKey, isOpenAI);
    const path = `${base}/chat/completions`;
    const service = { owner, origin, path, credential, format, model, settings: settingNames(isOpenAI) };
    this.#resolved = {
      chat: new ChatCompletions(service, this.#options),
      ...fingerprintsOf({ provider: this.name, baseURL: `${origin}${base}`, model }, format),
      omits: omissionsOf(format),
      batch: batchOf(service, base, this.#options),
    };
    return this.#resolved;
  }
}

/** The hosts that put a schema into the model's context themselves (OpenAI and Azure, "Structured outputs"). */
const hostsThatShowSchemas = /(?:^|\.)(?:openai\.com|(?:openai|services\.ai|cognitiveservices)\.azure\.com)$/;

function showsSchema(origin: string): boolean {
  return hostsThatShowSchemas.test(new URL(origin).hostname);
}

function urlOf({ baseURL, allowHTTP = false }: OpenAICompatibleProviderOptions): { origin: string; path: string } {
  const hint = "allowHTTP: true allows plain http, in a network of your own";
  return serviceURL(baseURL.trim(), { owner, option: "baseURL", allowHTTP, hint });
}

function batchOf(
  service: Pick<ChatService, "origin" | "credential" | "format" | "settings">,
  basePath: string,
  { batch = false, headers = {}, dispatcher, model }: OpenAICompatibleProviderOptions,
): BatchService | undefined {
  if (batch === false) return undefined;
  const { maxRequests = openAIMaxRequests, maxBytes = defaultMaxBytes } = batch === true ? {} : batch;
  const { origin, credential, format, settings } = service;
  return new BatchAPI({
    origin,
    basePath,
    query: "",
    credential,
    headers,
    settings,
    dispatcher: dispatcher ?? createDispatcher(owner),
    timeoutMs: 60_000,
    deployment: model,
    format: { ...format, takesCacheKey: false, tier: undefined },
    endpoint: "/v1/chat/completions",
    maxRequests,
    maxBytes,
  });
}

function credentialOf(apiKey: string | undefined, isOpenAI: boolean): Credential {
  const key = (apiKey ?? (isOpenAI ? process.env["OPENAI_API_KEY"] : undefined) ?? "").trim();
  if (key === "") {
    if (isOpenAI) throw new SettingError(owner, "apiKey", "OPENAI_API_KEY");
    return undefined;
  }
  if (!/^[\x21-\x7E]+$/.test(key)) {
    throw new OptionError(owner, "apiKey", "", { expected: "printable ASCII characters without blanks" });
  }
  return { header: "authorization", value: `Bearer ${key}` };
}

function settingNames(isOpenAI: boolean): { credential: string; endpoint: string; deployment: string } {
  return {
    credential: `the option "apiKey"${isOpenAI ? " or OPENAI_API_KEY" : ""}`,
    endpoint: 'the option "baseURL"',
    deployment: 'the option "model"',
  };
}
