import type { JSONSchema } from "../json/json-schema.ts";
import type { Requirements } from "./requirements.ts";
import type { PriceListing, Prices } from "./prices.ts";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** One question to a model. Everything static stands first and is byte-identical for every row of a step. */
export interface LLMRequest {
  readonly messages: readonly ChatMessage[];
  /** The schema of the answer, which is one JSON object. */
  readonly schema: { readonly name: string; readonly json: JSONSchema };
  /** 0 to 2. Left out where a model takes none. */
  readonly temperature?: number | undefined;
  /** The most tokens that the answer may have; it counts against a quota when the request arrives. */
  readonly maxOutputTokens: number;
  /**
   * How many times its usual length the answer may have: 2 after one was cut off. `maxOutputTokens` has it already; a
   * provider that adds tokens of its own, for reasoning, multiplies these by it. @default 1
   */
  readonly lengthFactor?: number | undefined;
  /** How many times its usual time limit the attempt may take: 2 for the last one of a call that timed out again and again. @default 1 */
  readonly timeoutFactor?: number | undefined;
  /** The service tier to ask for in place of the provider's own: of a call that waited too long for it. @default the provider's `tier` */
  readonly tier?: "default" | undefined;
  /** Equal for requests that share a prefix, so that the service can route them to a warm cache. */
  readonly cacheKey: string;
}

/** In tokens. `cachedTokens` are part of `inputTokens`, `reasoningTokens` part of `outputTokens`. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** The part of `inputTokens` that the service wrote to its cache, where it says so: it may cost more than the rest. @default 0 */
  readonly cacheWriteTokens?: number | undefined;
  /** The service tier that answered, where it is not the standard one: it has a price of its own. @default the standard tier */
  readonly tier?: string | undefined;
  /** True if the service did not count the tokens, or absurdly: they are estimated from the characters. @default false */
  readonly isEstimated?: boolean | undefined;
}

/** The rest of the service's limits, as the service reports it: advice, for some services report a slice of a minute. */
export interface RateLimit {
  readonly remainingRequests?: number | undefined;
  readonly remainingTokens?: number | undefined;
}

export interface LLMResponse {
  /** The answer as it came. For a refusal, what the model said instead. */
  readonly text: string;
  readonly finishReason: "stop" | "length" | "content_filter" | "refusal";
  readonly model: string;
  readonly usage: TokenUsage;
  readonly requestId?: string | undefined;
  readonly rateLimit?: RateLimit | undefined;
}

/** The quota of a deployment, to which calls are paced. */
export interface Quota {
  /** Requests per minute. */
  readonly rpm?: number | undefined;
  /** Tokens per minute, of prompts and the most that their answers may have. */
  readonly tpm?: number | undefined;
}

/** The row and the step that a call is made for; blank where a provider is asked outside of a run. */
export interface CallSubject {
  readonly step: string;
  readonly pk: string;
}

/** A provider as an earlier version was. */
export interface FormerProvider {
  readonly fingerprint: string;
  /** The difference between its requests and those of today, as a clause: `check` shows it. */
  readonly difference: string;
}

/** A part of a request that a provider may leave out of what it sends. */
export type RequestPart = "temperature" | "schemaName";

/** A batch at a service. */
export interface ServiceBatch {
  readonly id: string;
  /** `working`: it has not ended. `ended`: its files have all that there will be, also where it was cancelled or has expired. `rejected`: nothing of it was done. */
  readonly state: "working" | "ended" | "rejected";
  /** The service's own word: `in_progress`, `completed`, `expired`. */
  readonly status: string;
  /** null where the service does not say. */
  readonly inputFileId: string | null;
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
  /** The number of its lines that have ended, and of those that failed; null where the service does not say. */
  readonly counts: { readonly total: number; readonly completed: number; readonly failed: number } | null;
  /** The facts that were given along when it was created; empty where the service does not say. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The codes of its rejection: the service's words may hold content. */
  readonly errorCodes: readonly string[];
}

/** The end of one request of a batch. */
export type BatchResult =
  | { readonly id: string; readonly answer: LLMResponse }
  /** `error`: the row's own, as it would be online. */
  | { readonly id: string; readonly error: Error }
  /** It was not asked, or no answer came: it may be asked again. */
  | { readonly id: string; readonly missed: string };

/**
 * A service's Batch API, as an ability of a provider: requests are handed over as a file, answered within a day for half the price, and
 * collected. Each function is one exchange; it throws {@link ProviderError} as `complete` does.
 */
export interface BatchService {
  /** Names the deployment or model that answers, for people. */
  readonly deployment: string;
  /** The most requests of a file. */
  readonly maxRequests: number;
  /** The most bytes of a file. */
  readonly maxBytes: number;
  /** The line of a file for a request, without a line break. `id` comes back with its answer. */
  readonly lineOf: (id: string, request: LLMRequest) => string;
  /** Uploads the file at a path. Resolves to the service's id of it. */
  readonly upload: (path: string, name: string, signal: AbortSignal) => Promise<string>;
  readonly create: (
    fileId: string,
    metadata: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<ServiceBatch>;
  readonly retrieve: (id: string, signal: AbortSignal) => Promise<ServiceBatch>;
  readonly cancel: (id: string, signal: AbortSignal) => Promise<ServiceBatch>;
  /** All batches of the account, page by page. */
  readonly list: (signal: AbortSignal) => AsyncIterable<ServiceBatch>;
  /** The lines of a file. Throws where it ends before its end. */
  readonly lines: (fileId: string, signal: AbortSignal) => AsyncIterable<string>;
  /** Reads a line of an output file or an error file; undefined for one that is none. */
  readonly resultOf: (line: string) => BatchResult | undefined;
  /** Deletes a file; one that is not there is no error. */
  readonly remove: (fileId: string, signal: AbortSignal) => Promise<void>;
}

/** Answers requests: a model behind a service, or a stand-in. */
export interface LLMProvider {
  readonly name: string;
  readonly quota?: Quota | undefined;
  /** The time that a call may take, in milliseconds: no more calls go than are answered in it. @default 60,000 */
  readonly timeoutMs?: number | undefined;
  /** The prices of its tokens; without them those of `listing` count, and without that a run's cost is unknown. */
  readonly prices?: Prices | undefined;
  /** Its place in a public price list. @default no list has it */
  readonly listing?: PriceListing | undefined;
  /** The packages and variables that `check` looks for. */
  readonly requirements?: Requirements | undefined;
  /** Every resolved setting that can change an answer, as text; no secret. */
  readonly fingerprint: () => string;
  /** The provider as version 0.1 was, where it asked otherwise: answers stored by it are found. @default it asked alike */
  readonly former?: (() => FormerProvider | undefined) | undefined;
  /** The parts of a request that it never sends: no answer depends on them, so an answer's key in the journal has none. @default none */
  readonly omits?: readonly RequestPart[] | undefined;
  /** The service tier that it asks for: its price counts where a cost is limited. @default the service's own choice */
  readonly tier?: string | undefined;
  /**
   * How long a call waits, in milliseconds, while its tier has no room (errors of the kind `capacity`), before it goes with
   * `request.tier: "default"`. @default it waits
   */
  readonly tierFallbackMs?: number | undefined;
  /**
   * The bytes of the body of a request, which are the most tokens that its input can have: by them a limit on the cost holds.
   * @default twice the bytes of messages and schema, and 1,000
   */
  readonly requestBytes?: ((request: LLMRequest) => number) | undefined;
  /** The most tokens that an answer may have, where the provider asks for a limit of its own whatever the request's: a limit on the cost counts with it. @default the request's */
  readonly maxAnswerTokens?: number | undefined;
  /** Tokens that it adds to `maxOutputTokens` for reasoning, times `lengthFactor`. @default 0 */
  readonly maxReasoningTokens?: number | undefined;
  /** Its Batch API, where it has one. @default none */
  readonly batch?: BatchService | undefined;
  /**
   * One attempt, no retry. Throws {@link ProviderError}; ends within moments when the signal aborts. The answer must not
   * depend on the subject, which is there for layers that time or count calls.
   */
  readonly complete: (request: LLMRequest, signal: AbortSignal, subject?: CallSubject) => Promise<LLMResponse>;
}
