import { OptionError } from "../../errors/option.ts";
import {
  checkOptions,
  isBoolean,
  isCount,
  isDuration,
  isName,
  isObject,
  isOneOf,
  optional,
} from "../../errors/options.ts";
import { aiSdkError, answerInAiSdkError } from "../ai-sdk/error.ts";
import { readAiSdkResult } from "../ai-sdk/result.ts";
import {
  messagesWithSchema,
  omissionsOf,
  schemaAs,
  sendsSchema,
  type Reasoning,
  type SchemaDialect,
  schemaDialects,
  tokenLimitOf,
} from "../chat-completions/body.ts";
import { timeoutOf } from "../chat-completions/options.ts";
import { checkPrices } from "../pricing.ts";
import { charactersOf } from "../token-usage.ts";
import { aiSdkListing } from "../ai-sdk/listing.ts";
import type { Prices } from "../../contracts/prices.ts";
import { ProviderError } from "../provider-error.ts";
import type { ChatMessage, LLMProvider, LLMRequest, LLMResponse } from "../../contracts/provider.ts";

/** The part of a Vercel AI SDK language model that is used. The specifications V2, V3 and V4 all have it. */
export interface AiSdkModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  readonly doGenerate: (options: never) => PromiseLike<unknown>;
}

export interface FromAiSdkOptions {
  /** The provider's name. @default "ai-sdk:" and the model's provider */
  readonly name?: string | undefined;
  /** The prices of your tokens, for the cost in the report. @default the list prices of the model, where `@pydantic/genai-prices` is installed and has them */
  readonly prices?: Prices | undefined;
  /** The quota of requests per minute: calls are spread so that they stay within it. @default not paced */
  readonly rpm?: number | undefined;
  /** The quota of tokens per minute: calls are spread so that they stay within it. @default not paced */
  readonly tpm?: number | undefined;
  /** The way to give the model the schema of the answer. @default "strict": the AI SDK's provider sends it in its own way */
  readonly dialect?: SchemaDialect | undefined;
  /** True for a model that reasons before it answers: it is sent no temperature, and more tokens. @default false */
  readonly reasoning?: boolean | undefined;
  /** Tokens added to a step's `maxOutputTokens` if `reasoning` is true. @default 2048 */
  readonly maxReasoningTokens?: number | undefined;
  /** Options that are passed to the model unchanged, for example `{ openai: { reasoningEffort: "low" } }`. */
  readonly providerOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** The time limit of one attempt, in milliseconds. @default 60000, 180000 if `reasoning` is true; and 100 for each token that it asks for, if that is more */
  readonly timeoutMs?: number | undefined;
}

/**
 * Makes a provider of any Vercel AI SDK language model. It calls the model directly, without the AI SDK's own retries:
 * retries, re-asks, limits and logs are the pipeline's.
 *
 * @example fromAiSdk(anthropic("claude-…"))
 * @throws {OptionError} if `model` is not such a model, and for an option that is unknown or has a wrong value
 */
export function fromAiSdk(model: AiSdkModel, options: FromAiSdkOptions = {}): LLMProvider {
  checkModel(model);
  checkOptions<FromAiSdkOptions>(owner, options, {
    name: optional(isName),
    prices: optional(isObject),
    rpm: optional(isCount(1)),
    tpm: optional(isCount(1)),
    dialect: optional(isOneOf(...schemaDialects)),
    reasoning: optional(isBoolean),
    maxReasoningTokens: optional(isCount(0)),
    providerOptions: optional(isObject),
    timeoutMs: optional(isDuration(1)),
  });
  const { name = `ai-sdk:${model.provider}`, prices, dialect = "strict", reasoning: reasons = false } = options;
  if (prices !== undefined) checkPrices(owner, prices);
  const { maxReasoningTokens = 2048, providerOptions } = options;
  const reasoning = reasons ? { effort: undefined, maxTokens: maxReasoningTokens } : undefined;
  const { provider, modelId, specificationVersion } = model;
  const onSchemaDropped = warningOnce("NO_JSON_SCHEMA", `${provider} did not send the schema to ${modelId}`);
  const problem = `${provider} does not hold ${modelId} to the schema (an answer had other text around its JSON)`;
  const onSchemaIgnored = warningOnce("SCHEMA_IGNORED", problem);
  const settings = { provider, modelId, specificationVersion, dialect, reasoning, providerOptions };
  return {
    name,
    ...(prices === undefined ? {} : { prices }),
    listing: aiSdkListing(provider, modelId),
    quota: { rpm: options.rpm, tpm: options.tpm },
    maxReasoningTokens: reasoning?.maxTokens ?? 0,
    timeoutMs: timeoutOf(options),
    fingerprint: () => JSON.stringify({ name, ...settings }),
    omits: omissionsOf({ dialect, reasoning }),
    complete: async (request, signal) => {
      signal.throwIfAborted();
      const call = callOf(request, { dialect, reasoning, providerOptions });
      const requestCharacters = charactersOf(request.messages);
      const tokenLimit = tokenLimitOf(request.maxOutputTokens, request.lengthFactor, reasoning);
      const timeoutMs = timeoutOf(options, tokenLimit) * (request.timeoutFactor ?? 1);
      const result = await generate({ model, call, timeoutMs, signal, requestCharacters });
      if ("answer" in result) return result.answer;
      return readAiSdkResult(result.given, {
        model: modelId,
        schema: request.schema.json,
        requestCharacters,
        isStrict: dialect === "strict",
        onSchemaDropped,
        onSchemaIgnored,
      });
    },
  };
}

/** A warning that is given the first time. */
function warningOnce(code: string, problem: string): () => void {
  let isWarned = false;
  return () => {
    if (isWarned) return;
    isWarned = true;
    const hint = 'give fromAiSdk dialect: "json_object", which puts it into the system message';
    process.emitWarning(`${problem}: ${hint}`, { type: "LLMEtlWarning", code });
  };
}

const owner = "fromAiSdk";
const specifications = ["v2", "v3", "v4"];

/** The options of a call: the part that the three specifications have in common. */
interface Call {
  readonly prompt: readonly object[];
  readonly maxOutputTokens: number;
  readonly temperature?: number;
  readonly responseFormat?: object;
  readonly providerOptions?: object;
}

function checkModel(model: unknown): asserts model is AiSdkModel {
  const isModel =
    typeof model === "object" &&
    model !== null &&
    "doGenerate" in model &&
    typeof model.doGenerate === "function" &&
    "modelId" in model &&
    "specificationVersion" in model;
  if (!isModel) {
    throw new OptionError(owner, "model", "", { expected: 'a language model of the AI SDK, for example openai("…")' });
  }
  if (specifications.some((version) => version === model.specificationVersion)) return;
  throw new OptionError(owner, "model", "of another specification", {
    expected: specifications,
    got: String(model.specificationVersion),
  });
}

function callOf(
  request: LLMRequest,
  {
    dialect,
    reasoning,
    providerOptions,
  }: { dialect: SchemaDialect; reasoning: Reasoning | undefined; providerOptions: object | undefined },
): Call {
  const { schema, temperature, maxOutputTokens, lengthFactor } = request;
  const messages = sendsSchema(dialect) ? request.messages : messagesWithSchema(request);
  const schemaOf = sendsSchema(dialect) ? { schema: schemaAs(dialect, schema.json), name: schema.name } : {};
  return {
    prompt: messages.map(promptOf),
    maxOutputTokens: tokenLimitOf(maxOutputTokens, lengthFactor, reasoning),
    ...(temperature === undefined || reasoning !== undefined ? {} : { temperature }),
    ...(dialect === "none" ? {} : { responseFormat: { type: "json", ...schemaOf } }),
    ...(providerOptions === undefined ? {} : { providerOptions }),
  };
}

function promptOf({ role, content }: ChatMessage): object {
  return role === "system" ? { role, content } : { role, content: [{ type: "text", text: content }] };
}

/** Makes one attempt. It ends when the run does or its time is over, even if the model ignores its signal. */
async function generate(attempt: {
  readonly model: AiSdkModel;
  readonly call: Call;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly requestCharacters: number;
}): Promise<{ readonly given: unknown } | { readonly answer: LLMResponse }> {
  const { model, call, timeoutMs, signal, requestCharacters } = attempt;
  const controller = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    reject(reason);
    controller.abort(new Error("the call is over"));
  };
  const onAbort = (): void => end(signal.reason);
  signal.addEventListener("abort", onAbort);
  const timer = setTimeout(() => {
    const problem = `no complete answer within ${timeoutMs} ms`;
    const hint = "raise timeoutMs if that is usual for this model";
    end(new ProviderError("transient", "TIMEOUT", problem, { where: "timeoutMs", hint }));
  }, timeoutMs);
  // Each specification has its own type of options; a call has only those that all of them share.
  const options = { ...call, abortSignal: controller.signal } as never;
  try {
    return { given: await Promise.race([promise, (async () => await model.doGenerate(options))()]) };
  } catch (error) {
    signal.throwIfAborted();
    const reading = { model: model.modelId, requestCharacters, tokenLimit: call.maxOutputTokens };
    const answer = answerInAiSdkError(error, reading);
    if (answer !== undefined) return { answer };
    throw aiSdkError(model.modelId, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
