import type { Requirements } from "../../contracts/requirements.ts";
import { OptionError, SettingError } from "../../errors/option.ts";
import { checkOptions, isFunction, isName, isObject, optional } from "../../errors/options.ts";
import type { TokenProvider } from "../chat-completions/bearer-token.ts";
import { type ChatFormat, omissionsOf, type SchemaDialect, sendsSchema } from "../chat-completions/body.ts";
import { ChatCompletions, type Credential } from "../chat-completions/client.ts";
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
import { azureBatches } from "../batch-api/azure.ts";
import { type AzureBatchOptions, checkAzureBatch } from "../batch-api/options.ts";
import { type ServiceURL, serviceURL } from "../chat-completions/url.ts";
import type {
  FormerProvider,
  LLMProvider,
  LLMRequest,
  LLMResponse,
  Quota,
  RequestPart,
} from "../../contracts/provider.ts";

export type { TokenProvider } from "../chat-completions/bearer-token.ts";
export {
  type EntraCredential,
  entraTokenProvider,
  type EntraTokenProviderOptions,
} from "../chat-completions/entra-id.ts";

export interface AzureOpenAIProviderOptions extends ChatOptions {
  /** The resource's address, for example `https://my-resource.openai.azure.com`. @default the variable AZURE_OPENAI_ENDPOINT */
  readonly endpoint?: string | undefined;
  /** The resource's key. @default the variable AZURE_OPENAI_API_KEY, unless `tokenProvider` is set */
  readonly apiKey?: string | undefined;
  /** Entra ID tokens instead of a key: `entraTokenProvider()`, or a function of your own. */
  readonly tokenProvider?: TokenProvider | undefined;
  /** The name of the deployment. @default the variable AZURE_OPENAI_DEPLOYMENT */
  readonly deployment?: string | undefined;
  /**
   * The deployment's model, for example `gpt-4.1-mini`: without `prices` its list price counts, from the first call on, so that `maxCost`
   * can hold. It is not sent, and no part of the fingerprint. @default the model that the first answer names
   */
  readonly model?: string | undefined;
  /** The deployment for batches, for runs over the Batch API at half the price. @default none: such a run is rejected */
  readonly batch?: AzureBatchOptions | undefined;
  /** A dated API version, for gateways without the v1 API. @default the variable AZURE_OPENAI_API_VERSION, else v1 */
  readonly apiVersion?: string | undefined;
}

/** The settings, from options or else from the environment. */
interface Settings {
  readonly url: ServiceURL;
  readonly credential: Credential;
  readonly deployment: string;
  /** Undefined for the v1 API. */
  readonly apiVersion: string | undefined;
}

interface Resolved extends ServiceFingerprints {
  readonly chat: ChatCompletions;
  readonly listing: PriceListing | undefined;
  readonly omits: readonly RequestPart[];
  readonly batch: BatchService | undefined;
}

/** The first dated API with `json_schema` (Azure OpenAI API lifecycle, Microsoft Learn). */
const firstVersionWithSchema = "2024-08-01-preview";
/** The first dated API that takes `max_completion_tokens` for every model; earlier ones take `max_tokens`. */
const firstVersionWithCompletionTokens = "2024-12-01-preview";

const owner = "AzureOpenAIProvider";

/**
 * Sends requests to a deployment of Azure OpenAI, over its chat completions API. It reads its settings once, at their first
 * use.
 *
 * @example new AzureOpenAIProvider({ endpoint: "https://my-resource.openai.azure.com", deployment: "gpt-4o-mini" })
 */
export class AzureOpenAIProvider implements LLMProvider {
  readonly name = "azure-openai";
  readonly prices: Prices | undefined;
  readonly quota: Quota;
  readonly requirements: Requirements;
  readonly #options: AzureOpenAIProviderOptions;
  readonly maxReasoningTokens: number;
  readonly timeoutMs: number;
  readonly tier: string | undefined;
  readonly tierFallbackMs: number | undefined;
  readonly maxAnswerTokens: number | undefined;
  #resolved: Resolved | undefined;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: AzureOpenAIProviderOptions = {}) {
    checkOptions<AzureOpenAIProviderOptions>(owner, options, {
      endpoint: optional(isName),
      apiKey: optional(isName),
      tokenProvider: optional(isFunction),
      deployment: optional(isName),
      model: optional(isName),
      apiVersion: optional(isName),
      batch: optional(isObject),
      ...chatOptionChecks,
    });
    if (options.batch !== undefined) checkAzureBatch(owner, options.batch);
    checkChatOptions(owner, options, options.tokenProvider === undefined ? "api-key" : "authorization");
    if (options.apiKey !== undefined && options.tokenProvider !== undefined) {
      throw new OptionError(owner, "tokenProvider", "", { expected: ["apiKey", "tokenProvider"], got: "both" });
    }
    this.#options = { ...options, headers: { ...options.headers }, extraBody: { ...options.extraBody } };
    this.prices = options.prices;
    this.quota = { rpm: options.rpm, tpm: options.tpm };
    this.maxReasoningTokens = reasoningOf(options)?.maxTokens ?? 0;
    this.timeoutMs = timeoutOf(options);
    this.tier = tierOf(options);
    this.tierFallbackMs = tierFallbackOf(options);
    this.maxAnswerTokens = ownTokenLimitOf(options);
    this.requirements = requirementsOf(options);
  }

  /**
   * @throws {SettingError} if a setting is missing
   * @throws {OptionError} if a setting has a wrong value
   */
  readonly fingerprint = (): string => this.#resolve().fingerprint;

  readonly former = (): FormerProvider | undefined => this.#resolve().former;

  /** @throws {SettingError} if a setting is missing */
  get listing(): PriceListing | undefined {
    return this.#resolve().listing;
  }

  get omits(): readonly RequestPart[] {
    return this.#resolve().omits;
  }

  get batch(): BatchService | undefined {
    return this.#options.batch && this.#resolve().batch;
  }

  /**
   * @throws {ProviderError} by the table of `docs/azure-openai.md`
   * @throws {SettingError} if a setting is missing
   */
  readonly complete = async (request: LLMRequest, signal: AbortSignal): Promise<LLMResponse> =>
    await this.#resolve().chat.complete(request, signal);

  readonly requestBytes = (request: LLMRequest): number => this.#resolve().chat.requestBytes(request);

  #resolve(): Resolved {
    if (this.#resolved !== undefined) return this.#resolved;
    const settings = settingsOf(this.#options);
    const { url, credential, deployment, apiVersion } = settings;
    const format = formatOf(settings, this.#options);
    const path = pathOf(settings);
    const { origin } = url;
    const { model } = this.#options;
    const service = { owner, origin, path, credential, format, model: deployment, settings: settingNames(credential) };
    this.#resolved = {
      chat: new ChatCompletions(service, this.#options),
      ...fingerprintsOf(
        { provider: this.name, endpoint: `${origin}${url.path}`, deployment, apiVersion: apiVersion ?? "v1" },
        format,
      ),
      listing: model === undefined ? listingAt(origin, { deployment }) : { seller: "azure", model, deployment },
      omits: omissionsOf(format),
      batch:
        this.#options.batch && azureBatches({ ...settings, settings: settingNames(credential) }, format, this.#options),
    };
    return this.#resolved;
  }
}

/** A variable is read only if its option is not set: see `settingsOf`. */
function requirementsOf(options: AzureOpenAIProviderOptions): Requirements {
  const { endpoint, deployment, apiVersion, apiKey, tokenProvider } = options;
  return {
    environment: [
      ...(endpoint === undefined ? ["AZURE_OPENAI_ENDPOINT"] : []),
      ...(deployment === undefined ? ["AZURE_OPENAI_DEPLOYMENT"] : []),
      ...(apiKey === undefined && tokenProvider === undefined ? ["AZURE_OPENAI_API_KEY"] : []),
    ],
    optionalEnvironment: [
      ...(apiVersion === undefined ? ["AZURE_OPENAI_API_VERSION"] : []),
      ...optionalEnvironmentOf(options),
    ],
    packages: tokenProvider?.requirements?.packages,
  };
}

function settingsOf(options: AzureOpenAIProviderOptions): Settings {
  const { AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_DEPLOYMENT, AZURE_OPENAI_API_VERSION = "" } = process.env;
  const endpoint = required("endpoint", options.endpoint, AZURE_OPENAI_ENDPOINT, "AZURE_OPENAI_ENDPOINT");
  const deployment = required("deployment", options.deployment, AZURE_OPENAI_DEPLOYMENT, "AZURE_OPENAI_DEPLOYMENT");
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(deployment) || /^\.+$/.test(deployment)) {
    throw new OptionError(owner, "deployment", "", { expected: "1 to 64 letters, digits, dots, _ or -" });
  }
  const apiVersion = (options.apiVersion ?? AZURE_OPENAI_API_VERSION).trim();
  if (!/^(\d{4}-\d\d-\d\d(-[a-z]+)?)?$/.test(apiVersion)) {
    const expected = 'a date such as "2024-10-21", or nothing for the v1 API';
    throw new OptionError(owner, "apiVersion", "", { expected });
  }
  const url = serviceURL(endpoint, { owner, option: "endpoint", allowHTTP: false });
  return {
    url: { ...url, path: url.path.replace(/\/openai(\/v1)?$/, "") },
    credential: credentialOf(options),
    deployment,
    apiVersion: apiVersion === "" ? undefined : apiVersion,
  };
}

function credentialOf({ apiKey, tokenProvider }: AzureOpenAIProviderOptions): Credential {
  if (tokenProvider !== undefined) return { tokenProvider };
  const value = (apiKey ?? process.env["AZURE_OPENAI_API_KEY"] ?? "").trim();
  if (value === "")
    throw new SettingError(owner, "apiKey", "AZURE_OPENAI_API_KEY", 'the option "tokenProvider" (Entra ID)');
  if (!/^[\x21-\x7E]+$/.test(value)) {
    throw new OptionError(owner, "apiKey", "", { expected: "printable ASCII characters without blanks" });
  }
  return { header: "api-key", value };
}

function required(option: string, given: string | undefined, inherited: string | undefined, variable: string): string {
  const value = (given ?? inherited ?? "").trim();
  if (value === "") throw new SettingError(owner, option, variable);
  return value;
}

function pathOf({ url, deployment, apiVersion }: Settings): string {
  if (apiVersion === undefined) return `${url.path}/openai/v1/chat/completions`;
  return `${url.path}/openai/deployments/${deployment}/chat/completions?api-version=${apiVersion}`;
}

/** The format of the API's version. A version without JSON Schema gets the schema in the system message. */
function formatOf({ deployment, apiVersion }: Settings, options: AzureOpenAIProviderOptions): ChatFormat {
  const reasoning = reasoningOf(options);
  const extraBody = extraBodyOf(options);
  const describesSchema = options.describeSchema ?? false;
  const own = { reasoning, tier: options.tier, extraBody };
  if (apiVersion === undefined) {
    const { dialect = "strict" } = options;
    const tokenLimit = "max_completion_tokens";
    return { model: deployment, dialect, describesSchema, tokenLimit, takesCacheKey: true, ...own };
  }
  const isNew = apiVersion >= firstVersionWithCompletionTokens || reasoning !== undefined;
  return {
    model: undefined,
    dialect: dialectOf(apiVersion, options.dialect),
    describesSchema,
    tokenLimit: isNew ? "max_completion_tokens" : "max_tokens",
    takesCacheKey: false,
    ...own,
  };
}

function dialectOf(apiVersion: string, dialect: SchemaDialect | undefined): SchemaDialect {
  if (apiVersion >= firstVersionWithSchema) return dialect ?? "strict";
  if (dialect !== undefined && !sendsSchema(dialect)) return dialect;
  const problem = `the Azure OpenAI API version ${apiVersion} has no JSON Schema (${firstVersionWithSchema} is the first that has)`;
  const consequence = "the schema goes into the system message, and the service does not enforce it";
  process.emitWarning(`${problem}: ${consequence}; better leave the version out`, {
    type: "LLMEtlWarning",
    code: "NO_JSON_SCHEMA",
  });
  return "json_object";
}

function settingNames(credential: Credential): { credential: string; endpoint: string; deployment: string } {
  const isToken = credential !== undefined && "tokenProvider" in credential;
  return {
    credential: isToken
      ? 'the option "tokenProvider": its scope, and whose token it is'
      : 'the option "apiKey" or AZURE_OPENAI_API_KEY',
    endpoint: 'the option "endpoint" or AZURE_OPENAI_ENDPOINT',
    deployment: 'the option "deployment" or AZURE_OPENAI_DEPLOYMENT',
  };
}
