import { Agent, type Dispatcher } from "undici";
import { z } from "zod";
import { messageOf, OptionError, SettingError } from "../../core/exceptions.ts";
import { checkOptions, hasFunctions, isCount, isName, optional } from "../../core/options.ts";
import { ProviderError } from "../provider-error.ts";
import { requestIdOf, serviceError } from "../service-error.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "./base.ts";

export interface AzureOpenAIProviderOptions {
  /** For example `https://my-resource.openai.azure.com`. @default the variable AZURE_OPENAI_ENDPOINT */
  readonly endpoint?: string | undefined;
  /** @default the variable AZURE_OPENAI_API_KEY */
  readonly apiKey?: string | undefined;
  /** The name of the deployment. @default the variable AZURE_OPENAI_DEPLOYMENT */
  readonly deployment?: string | undefined;
  /** A dated API version, for gateways that have no v1 API. @default the variable AZURE_OPENAI_API_VERSION, else v1 */
  readonly apiVersion?: string | undefined;
  /** How long one attempt may take, its body included, in milliseconds. @default 60,000 */
  readonly timeoutMs?: number | undefined;
  /** What carries the requests, for a proxy or a certificate authority of one's own. @default an undici Agent */
  readonly dispatcher?: Dispatcher | undefined;
}

/** The settings in force: options, else the environment. */
interface Settings {
  readonly endpoint: URL;
  readonly apiKey: string;
  readonly deployment: string;
  /** Undefined for the v1 API. */
  readonly apiVersion: string | undefined;
}

/** The first dated API that knows `json_schema` (reference: Azure OpenAI API lifecycle, Microsoft Learn). */
const firstVersionWithSchema = "2024-08-01-preview";

const Completion = z.object({
  model: z.string().optional(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z
    .object({
      prompt_tokens: z.number(),
      completion_tokens: z.number(),
      prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
      completion_tokens_details: z.object({ reasoning_tokens: z.number().nullish() }).nullish(),
    })
    .nullish(),
});

/** Asks a deployment of Azure OpenAI, over its chat completions API. Settings are read at the first call. */
export class AzureOpenAIProvider implements LLMProvider {
  readonly name = "azure-openai";
  readonly #options: AzureOpenAIProviderOptions;
  readonly #timeoutMs: number;
  readonly #dispatcher: Dispatcher;
  #settings: Settings | undefined;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: AzureOpenAIProviderOptions = {}) {
    checkOptions("AzureOpenAIProvider", options, {
      endpoint: optional(isName),
      apiKey: optional(isName),
      deployment: optional(isName),
      apiVersion: optional(isName),
      timeoutMs: optional(isCount(1)),
      dispatcher: optional(hasFunctions("an undici dispatcher", "dispatch")),
    });
    const { timeoutMs = 60_000, dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 }) } = options;
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#dispatcher = dispatcher; // its own timeouts are off: timeoutMs covers the attempt as a whole
  }

  /** @throws {SettingError} if a setting is missing */
  readonly fingerprint = (): string => {
    const { endpoint, deployment, apiVersion } = this.#resolve();
    return JSON.stringify({
      provider: this.name,
      endpoint: endpoint.origin,
      deployment,
      apiVersion: apiVersion ?? "v1",
    });
  };

  /**
   * @throws {ProviderError} by the table of `docs/azure-openai.md`
   * @throws {SettingError} if a setting is missing
   */
  readonly complete = async (request: LLMRequest, signal: AbortSignal): Promise<LLMResponse> => {
    signal.throwIfAborted();
    const settings = this.#resolve();
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    let response: { status: number; headers: Dispatcher.ResponseData["headers"]; body: string };
    try {
      const { statusCode, headers, body } = await this.#dispatcher.request({
        origin: settings.endpoint.origin,
        path: pathOf(settings),
        method: "POST",
        headers: { "content-type": "application/json", "api-key": settings.apiKey },
        body: JSON.stringify(bodyOf(request, settings)),
        signal: AbortSignal.any([signal, timeout]),
      });
      response = { status: statusCode, headers, body: await body.text() };
    } catch (error) {
      signal.throwIfAborted();
      throw timeout.aborted ? this.#timeoutError(error) : networkError(error);
    }
    if (response.status !== 200) throw serviceError({ ...response, settings: settingNames });
    return readCompletion(response.body, settings.deployment, requestIdOf(response.headers));
  };

  #resolve(): Settings {
    if (this.#settings !== undefined) return this.#settings;
    const { AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY, AZURE_OPENAI_DEPLOYMENT, AZURE_OPENAI_API_VERSION } =
      process.env;
    const endpoint = required("endpoint", this.#options.endpoint, AZURE_OPENAI_ENDPOINT);
    const deployment = required("deployment", this.#options.deployment, AZURE_OPENAI_DEPLOYMENT);
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(deployment) || /^\.+$/.test(deployment)) {
      throw new OptionError("AzureOpenAIProvider", "deployment", "expected 1 to 64 letters, digits, dots, _ or -");
    }
    const apiKey = required("apiKey", this.#options.apiKey, AZURE_OPENAI_API_KEY);
    if (!/^[\x21-\x7E]+$/.test(apiKey)) {
      throw new OptionError("AzureOpenAIProvider", "apiKey", "expected printable ASCII characters without blanks");
    }
    this.#settings = {
      endpoint: checkedEndpoint(endpoint),
      apiKey,
      deployment,
      apiVersion: this.#options.apiVersion ?? (AZURE_OPENAI_API_VERSION === "" ? undefined : AZURE_OPENAI_API_VERSION),
    };
    return this.#settings;
  }

  #timeoutError(cause: unknown): ProviderError {
    const problem = `no complete answer within ${this.#timeoutMs} ms; raise timeoutMs if that is usual for this model`;
    return new ProviderError("transient", "TIMEOUT", problem, { cause });
  }
}

const settingNames = {
  credential: 'the option "apiKey" or AZURE_OPENAI_API_KEY',
  endpoint: 'the option "endpoint" or AZURE_OPENAI_ENDPOINT',
  deployment: 'the option "deployment" or AZURE_OPENAI_DEPLOYMENT',
};

const variables = {
  endpoint: "AZURE_OPENAI_ENDPOINT",
  apiKey: "AZURE_OPENAI_API_KEY",
  deployment: "AZURE_OPENAI_DEPLOYMENT",
} as const;

function required(option: keyof typeof variables, given: string | undefined, variable: string | undefined): string {
  const value = given ?? variable;
  if (value === undefined || value.trim() === "") {
    throw new SettingError("AzureOpenAIProvider", option, variables[option]);
  }
  return value.trim();
}

function checkedEndpoint(text: string): URL {
  const url = URL.parse(text);
  const isLoopback = url !== null && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback)) return url;
  const expected = "expected an https:// address (plain http only to this machine, the key would travel in the clear)";
  throw new OptionError(
    "AzureOpenAIProvider",
    "endpoint",
    `${expected}, got ${url === null ? "no address" : url.origin}`,
  );
}

function pathOf({ endpoint, deployment, apiVersion }: Settings): string {
  const base = endpoint.pathname.replace(/\/+$/, "").replace(/\/openai(\/v1)?$/, "");
  if (apiVersion === undefined) return `${base}/openai/v1/chat/completions`;
  return `${base}/openai/deployments/${deployment}/chat/completions?api-version=${encodeURIComponent(apiVersion)}`;
}

function bodyOf(request: LLMRequest, { deployment, apiVersion }: Settings): Readonly<Record<string, unknown>> {
  const { messages, schema, temperature, maxOutputTokens, cacheKey } = request;
  if (apiVersion !== undefined && apiVersion < firstVersionWithSchema) {
    return {
      messages: withSchema(request),
      response_format: { type: "json_object" },
      max_tokens: maxOutputTokens,
      temperature,
    };
  }
  return {
    ...(apiVersion === undefined ? { model: deployment, prompt_cache_key: cacheKey.slice(-64).toWellFormed() } : {}),
    messages,
    response_format: { type: "json_schema", json_schema: { name: schema.name, strict: true, schema: schema.json } },
    max_completion_tokens: maxOutputTokens,
    temperature,
  };
}

/** The messages with the schema at the end of the system message, for an API that can't be given it otherwise. */
function withSchema({ messages, schema }: LLMRequest): LLMRequest["messages"] {
  const text = `\n\nThe JSON Schema of the reply:\n${JSON.stringify(schema.json)}`;
  return messages.map((message) =>
    message.role === "system" ? { ...message, content: message.content + text } : message,
  );
}

function readCompletion(body: string, deployment: string, requestId: string | undefined): LLMResponse {
  const { choices, model = deployment, usage } = parseCompletion(body, requestId);
  const { finish_reason: reason, message } = choices[0] ?? { message: {} };
  return {
    text: message.refusal ?? message.content ?? "",
    finishReason:
      typeof message.refusal === "string"
        ? "refusal"
        : reason === "length" || reason === "content_filter"
          ? reason
          : "stop",
    model,
    usage: {
      inputTokens: usage?.prompt_tokens ?? 0,
      cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
      outputTokens: usage?.completion_tokens ?? 0,
      reasoningTokens: usage?.completion_tokens_details?.reasoning_tokens ?? 0,
    },
    requestId,
  };
}

/** A truncated body, or a proxy's page with status 200: the same call may well succeed later. */
function parseCompletion(body: string, requestId: string | undefined): z.output<typeof Completion> {
  const problem = `200, but the body (${body.length} characters) is no chat completion`;
  try {
    return Completion.parse(JSON.parse(body));
  } catch (cause) {
    throw new ProviderError("transient", "INVALID_RESPONSE", problem, {
      status: 200,
      requestId,
      cause: nameOnly(cause),
    });
  }
}

/** A parser's message quotes the text that it failed on, which may be an answer's. */
function nameOnly(error: unknown): Error {
  return new Error(error instanceof Error ? error.name : "not an error");
}

function networkError(error: unknown): ProviderError {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  const problem = `the connection failed${code}: ${messageOf(error)}`;
  return new ProviderError("transient", "NETWORK_ERROR", problem, { cause: error });
}
