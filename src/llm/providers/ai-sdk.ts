import { OptionError } from "../../errors/option.ts";
import { checkOptions, isBoolean, isCount, isName, isObject, isOneOf, optional } from "../../errors/options.ts";
import { aiSdkError } from "../ai-sdk/error.ts";
import { readAiSdkResult } from "../ai-sdk/result.ts";
import {
  messagesWithSchema,
  type Reasoning,
  type SchemaDialect,
  schemaDialects,
  tokenLimitOf,
} from "../chat-completions/body.ts";
import { checkPrices } from "../pricing.ts";
import type { Prices } from "../../contracts/prices.ts";
import { ProviderError } from "../provider-error.ts";
import type { ChatMessage, LLMProvider, LLMRequest } from "../../contracts/provider.ts";

/** The slice of a language model of the Vercel AI SDK that is used; its specifications V2, V3 and V4 all have it. */
export interface AiSdkModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  readonly doGenerate: (options: never) => PromiseLike<unknown>;
}

export interface FromAiSdkOptions {
  /** @default "ai-sdk:" and the model's provider */
  readonly name?: string | undefined;
  readonly prices?: Prices | undefined;
  /** Requests per minute that calls are paced to. @default not paced */
  readonly rpm?: number | undefined;
  /** Tokens per minute that calls are paced to. @default not paced */
  readonly tpm?: number | undefined;
  /** How the model is told the schema of the answer. @default "strict": the AI SDK's provider sends it as it can */
  readonly dialect?: SchemaDialect | undefined;
  /** The model reasons before it answers: it is sent no temperature, and more tokens. @default false */
  readonly reasoning?: boolean | undefined;
  /** Tokens added to a step's `maxOutputTokens` where `reasoning` is true. @default 2,048 */
  readonly maxReasoningTokens?: number | undefined;
  /** Handed to the model as they are, for example `{ openai: { reasoningEffort: "low" } }`. */
  readonly providerOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** How long one attempt may take, in milliseconds. @default 60,000; 180,000 where `reasoning` is true */
  readonly timeoutMs?: number | undefined;
}

/**
 * Any language model of the Vercel AI SDK as a provider: `fromAiSdk(anthropic("claude-…"))`. The model is called directly,
 * without the AI SDK's own retries, so that retry, re-ask, limits and logs are those of the pipeline.
 *
 * @throws {OptionError} if it is no such model, and for an option that is unknown or has a wrong value
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
    timeoutMs: optional(isCount(1)),
  });
  const { name = `ai-sdk:${model.provider}`, prices, dialect = "strict", reasoning: reasons = false } = options;
  if (prices !== undefined) checkPrices(owner, prices);
  const { maxReasoningTokens = 2048, timeoutMs = reasons ? 180_000 : 60_000, providerOptions } = options;
  const reasoning = reasons ? { effort: undefined, maxTokens: maxReasoningTokens } : undefined;
  const { provider, modelId, specificationVersion } = model;
  let isWarned = false;
  const onSchemaDropped = (): void => {
    if (isWarned) return;
    isWarned = true;
    const remedy = 'give fromAiSdk dialect: "json_object", which puts it into the system message';
    process.emitWarning(`${provider} did not send the schema to ${modelId}: ${remedy}`, {
      type: "LLMEtlWarning",
      code: "NO_JSON_SCHEMA",
    });
  };
  const reading = { model: modelId, fenced: dialect !== "strict", onSchemaDropped };
  const settings = { provider, modelId, specificationVersion, dialect, reasoning, providerOptions };
  return {
    name,
    ...(prices === undefined ? {} : { prices }),
    quota: { rpm: options.rpm, tpm: options.tpm },
    fingerprint: () => JSON.stringify({ name, ...settings }),
    complete: async (request, signal) => {
      signal.throwIfAborted();
      const call = callOf(request, { dialect, reasoning, providerOptions });
      return readAiSdkResult(await generate({ model, call, timeoutMs, signal }), reading);
    },
  };
}

const owner = "fromAiSdk";
const specifications = ["v2", "v3", "v4"];

/** What a model is asked with: the part of the three specifications that they have in common. */
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
  if (!isModel)
    throw new OptionError(owner, "model", 'expected a language model of the AI SDK, for example openai("…")');
  if (specifications.some((version) => version === model.specificationVersion)) return;
  const problem = `expected a model of specification ${specifications.join(", ")}, got ${String(model.specificationVersion)}`;
  throw new OptionError(owner, "model", problem);
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
  const messages = dialect === "strict" ? request.messages : messagesWithSchema(request);
  const schemaOf = dialect === "strict" ? { schema: schema.json, name: schema.name } : {};
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

/** One attempt that ends when the run does, or its time is over, whether the model listens or not. */
async function generate(attempt: {
  readonly model: AiSdkModel;
  readonly call: Call;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<unknown> {
  const { model, call, timeoutMs, signal } = attempt;
  const controller = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    reject(reason);
    controller.abort(new Error("the call is over"));
  };
  const onAbort = (): void => end(signal.reason);
  signal.addEventListener("abort", onAbort);
  const timer = setTimeout(() => {
    const problem = `no complete answer within ${timeoutMs} ms; raise timeoutMs if that is usual for this model`;
    end(new ProviderError("transient", "TIMEOUT", problem));
  }, timeoutMs);
  // Each specification types its own options; a call has only what is the same in all of them.
  const options = { ...call, abortSignal: controller.signal } as never;
  try {
    return await Promise.race([promise, (async () => await model.doGenerate(options))()]);
  } catch (error) {
    signal.throwIfAborted();
    throw aiSdkError(model.modelId, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
