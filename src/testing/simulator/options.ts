import type { Prices } from "../../contracts/prices.ts";
import {
  checkOptions,
  isBoolean,
  isCount,
  isFunction,
  isName,
  isNumber,
  isObject,
  isOneOf,
  isPath,
  isTextList,
  longestTimerMs,
  optional,
  type OptionCheck,
} from "../../errors/options.ts";
import { checkPrices } from "../../llm/pricing.ts";
import { checkBatchOptions, type SimulatorBatchOptions } from "./batch/options.ts";
import type { SimulatorBatchEvent } from "./batch/words.ts";
import {
  faultNames,
  type SimulatorFaultName,
  type SimulatorFaults,
  type SimulatorFaultWaits,
  type SimulatorRequest,
} from "./faults.ts";
import type { LabelledCSVOptions } from "./labelled-csv.ts";
import type { SimulatorLatency } from "./latency.ts";
import { responseFormats, type SimulatorResponseFormat } from "./response-format.ts";
import {
  retryAfterForms,
  retryAfterWords,
  type SimulatorRetryAfter,
  type SimulatorRetryAfterForm,
} from "./retry-after.ts";
import { checkShares } from "./shares.ts";
import { simulatorTiers, type SimulatorTier } from "./tiers.ts";

/** The options that can change while the simulator runs. */
export interface AzureOpenAISimulatorChanges {
  /** Accepted keys, as `api-key` or as `Authorization: Bearer`; `[]` for no key at all. @default any that is not empty */
  readonly apiKeys?: readonly string[] | undefined;
  /** Bearer tokens that are accepted besides the keys: a list, or a function that accepts them. @default none */
  readonly tokens?: readonly string[] | ((token: string) => boolean) | undefined;
  /** Names of the deployments that exist; any other is a 404. @default every name */
  readonly deployments?: readonly string[] | undefined;
  /** The time until an answer, in milliseconds: fixed, or lognormal and decided by the request. @default 0 */
  readonly latencyMs?: SimulatorLatency | undefined;
  /**
   * The most requests that the server works on at once: others wait in its queue, first come first served, and `latencyMs` is
   * the time from the moment when one has a slot. A client that leaves does not end the work. @default no limit
   */
  readonly slots?: number | undefined;
  /** The forms of `response_format` that the server knows: any other gets a 500, as from llama-cpp-python. @default all */
  readonly responseFormats?: readonly SimulatorResponseFormat[] | undefined;
  /**
   * Puts the schema of `response_format` into the prompt. If false, the model sees the messages alone, as with llama.cpp and
   * Ollama: unless they name every required field, its answer repeats itself or its first text has no end. @default true
   */
  readonly showsSchema?: boolean | undefined;
  /** Requests a minute for each deployment. @default no limit */
  readonly requestsPerMinute?: number | undefined;
  /** The length of the windows in which requests are counted, in milliseconds; Azure's are 1,000 or 10,000. @default 1,000 */
  readonly requestWindowMs?: number | undefined;
  /** Tokens a minute for each deployment; a request counts as prompt characters / 4 + max tokens. @default no limit */
  readonly tokensPerMinute?: number | undefined;
  /** The length of the windows in which tokens are counted, in milliseconds. @default 60,000 */
  readonly tokenWindowMs?: number | undefined;
  /**
   * The kind of the limits: a window brings all of its quota at once; a bucket fills steadily, holds the quota of one
   * window, and is full at first. @default "window"
   */
  readonly limitKind?: "window" | "bucket" | undefined;
  /**
   * The wait that a 429 of a limit names: `"exact"`, the time until the request may come in; `"one-second"`, always;
   * `"at-least-one-second"`, the exact time or one second if that is longer; `"whole-seconds"`, the exact time rounded up;
   * `"zero"`; `"none"`, no wait at all. @default "exact"
   */
  readonly retryAfter?: SimulatorRetryAfter | undefined;
  /**
   * The headers that name a wait: `"both"`, `retry-after-ms` and `retry-after` in seconds; `"milliseconds"`, the first
   * alone; `"seconds"`, the second alone; `"date"`, `retry-after` as a date. @default "both"
   */
  readonly retryAfterForm?: SimulatorRetryAfterForm | undefined;
  /**
   * The service tiers that the deployments have, of `"default"`, `"flex"` and `"priority"`: a request for another gets a 400, as one
   * for Flex does from a model without it. @default all three
   */
  readonly tiers?: readonly SimulatorTier[] | undefined;
  /**
   * Flex requests that get a 429 for want of capacity, which costs nothing and uses no quota: a share of them, 0 to 1, or a function
   * that is called with each and returns true for it. @default 0
   */
  readonly flexShortage?: number | ((request: SimulatorRequest) => boolean) | undefined;
  /** Share of the requests for the tier `"priority"` that the standard tier answers, 0 to 1: the reply says so. @default 0 */
  readonly priorityDowngrades?: number | undefined;
  /** Sends the headers `x-ratelimit-limit-*`, `-remaining-*` and `-reset-*` of the limits that are set. @default true */
  readonly rateLimitHeaders?: boolean | undefined;
  /** Shares of the requests that go wrong. @default none */
  readonly faults?: SimulatorFaults | undefined;
  /** Chooses the fault of a request, before `faults`: these decide if it returns undefined. @default none */
  readonly fault?: ((request: SimulatorRequest) => SimulatorFaultName | undefined) | undefined;
  /** The waits that 429, 500 and 503 of faults name, in milliseconds. @default 20 to 100 for `rateLimit`, none for others */
  readonly faultRetryAfterMs?: SimulatorFaultWaits | undefined;
  /**
   * Decides the faults by all messages of a request and how often they came before (`"messages"`), or by system message and
   * first user message (`"row"`): then a re-ask is the next try of its row, whatever it says. @default "messages"
   */
  readonly faultsBy?: "messages" | "row" | undefined;
  /**
   * The invalid answers to one row (`invalidJSON`, `outOfRange`, `wrongEnum`) make `"different"` mistakes, or the `"same"`
   * one in another text each time, as models do. @default "different"
   */
  readonly mistakes?: "different" | "same" | undefined;
  /**
   * A request whose fault comes instead of an answer (429, 500, a reset, …) uses quota as others do. If false, faults are
   * decided before the limits: `fault` is then asked about requests that the limits turn away, too. @default true
   */
  readonly faultsUseQuota?: boolean | undefined;
  /** Every request gets 503, or has its connection reset. @default false */
  readonly outage?: boolean | "503" | "reset" | undefined;
  /** The Files and Batch APIs. A change replaces it as a whole. @default batches of any deployment, each of whose steps takes 5 ms */
  readonly batch?: SimulatorBatchOptions | undefined;
  /**
   * Called with each request for files and batches that was carried out, before it is answered. Its promise holds the answer until it is
   * fulfilled. @default nothing
   */
  readonly onBatchEvent?: ((event: SimulatorBatchEvent) => void | Promise<void>) | undefined;
}

export interface AzureOpenAISimulatorOptions extends AzureOpenAISimulatorChanges {
  /** The port to listen on; 0 for a free one. @default 0 */
  readonly port?: number | undefined;
  /** The address to listen on. @default "127.0.0.1" */
  readonly host?: string | undefined;
  /** The model's name in answers. @default the deployment's name */
  readonly model?: string | undefined;
  /** Another seed gives other answers, latencies and faults. @default 1 */
  readonly seed?: number | undefined;
  /** Behaves as a reasoning model: rejects `max_tokens` and `temperature`, and counts reasoning tokens. @default false */
  readonly reasoning?: boolean | undefined;
  /** The price list of its bill. @default none: the bill has no cost */
  readonly prices?: Prices | undefined;
  /** A CSV file with texts and their labels, which become the answers. @default none */
  readonly answersFrom?: LabelledCSVOptions | undefined;
}

const owner = "startAzureOpenAISimulator";

/** Checks the options of a new simulator. @throws {OptionError} for an option that is unknown or has a wrong value */
export function checkSimulatorOptions(options: AzureOpenAISimulatorOptions): void {
  checkOptions<AzureOpenAISimulatorOptions>(owner, options, {
    port: optional({ ...isNumber(0, 65_535), fits: (value) => isCount(0).fits(value) && Number(value) <= 65_535 }),
    host: optional(isName),
    model: optional(isName),
    seed: optional(isCount(0)),
    reasoning: optional(isBoolean),
    prices: optional(isObject),
    answersFrom: optional(isObject),
    ...checksOfChanges,
  });
  if (options.prices !== undefined) checkPrices(owner, options.prices);
  checkParts(owner, options);
  if (options.answersFrom === undefined) return;
  checkOptions<LabelledCSVOptions>(`${owner} answersFrom`, options.answersFrom, {
    path: isPath,
    textColumn: isName,
    labelColumn: isName,
  });
}

/** Checks changed options. @throws {OptionError} also for an option that can't change while the simulator runs */
export function checkSimulatorChanges(changes: AzureOpenAISimulatorChanges): void {
  checkOptions<AzureOpenAISimulatorChanges>("simulator.update", changes, checksOfChanges);
  checkParts("simulator.update", changes);
}

const isLatency: OptionCheck = {
  expected: "milliseconds from 0 up, or { median, sigma } of numbers from 0 up",
  fits: (value) => {
    if (typeof value !== "object" || value === null) return isNumber(0, longestTimerMs).fits(value);
    const numbers = "median" in value && "sigma" in value ? [value.median, value.sigma] : [];
    return (
      numbers.length === 2 && Object.keys(value).length === 2 && numbers.every((number) => isNumber(0).fits(number))
    );
  },
  required: true,
};

const isTokens: OptionCheck = {
  expected: "an array of texts, or a function",
  fits: (value) => isTextList.fits(value) || isFunction.fits(value),
  required: true,
};

const isOutage: OptionCheck = {
  expected: 'true, false, "503" or "reset"',
  fits: (value) => isBoolean.fits(value) || isOneOf("503", "reset").fits(value),
  required: true,
};

const isFormatList: OptionCheck = {
  expected: `an array of one or more of ${responseFormats.map((form) => `"${form}"`).join(", ")}`,
  fits: (value) => Array.isArray(value) && value.length > 0 && value.every(isOneOf(...responseFormats).fits),
  required: true,
};

const isTierList: OptionCheck = {
  expected: `an array of one or more of ${simulatorTiers.map((tier) => `"${tier}"`).join(", ")}`,
  fits: (value) => Array.isArray(value) && value.length > 0 && value.every(isOneOf(...simulatorTiers).fits),
  required: true,
};

const isShareOrFunction: OptionCheck = {
  expected: "a number from 0 to 1, or a function",
  fits: (value) => isNumber(0, 1).fits(value) || isFunction.fits(value),
  required: true,
};

const checksOfChanges = {
  apiKeys: optional(isTextList),
  tokens: optional(isTokens),
  deployments: optional(isTextList),
  latencyMs: optional(isLatency),
  slots: optional(isCount(1)),
  responseFormats: optional(isFormatList),
  showsSchema: optional(isBoolean),
  requestsPerMinute: optional(isCount(1)),
  requestWindowMs: optional(isCount(1)),
  tokensPerMinute: optional(isCount(1)),
  tokenWindowMs: optional(isCount(1)),
  limitKind: optional(isOneOf("window", "bucket")),
  retryAfter: optional(isOneOf(...retryAfterWords)),
  retryAfterForm: optional(isOneOf(...retryAfterForms)),
  tiers: optional(isTierList),
  flexShortage: optional(isShareOrFunction),
  priorityDowngrades: optional(isNumber(0, 1)),
  rateLimitHeaders: optional(isBoolean),
  faults: optional(isObject),
  fault: optional(isFunction),
  faultRetryAfterMs: optional(isObject),
  faultsBy: optional(isOneOf("messages", "row")),
  mistakes: optional(isOneOf("different", "same")),
  faultsUseQuota: optional(isBoolean),
  outage: optional(isOutage),
  batch: optional(isObject),
  onBatchEvent: optional(isFunction),
} as const;

const isFaultWait: OptionCheck = {
  expected: 'whole milliseconds from 0 up, or "none"',
  fits: (value) => value === "none" || isCount(0).fits(value),
  required: false,
};

function checkParts(by: string, { faults = {}, faultRetryAfterMs = {}, batch }: AzureOpenAISimulatorChanges): void {
  if (batch !== undefined) checkBatchOptions(by, batch);
  checkOptions<SimulatorFaultWaits>(`${by} faultRetryAfterMs`, faultRetryAfterMs, {
    rateLimit: isFaultWait,
    quotaExhausted: isFaultWait,
    serverError: isFaultWait,
    unavailable: isFaultWait,
  });
  checkShares(by, "faults", faults, faultNames);
}
