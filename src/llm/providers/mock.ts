import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { OptionError } from "../../errors/option.ts";
import {
  checkOptions,
  isCount,
  isName,
  isNumber,
  isObject,
  longestTimerMs,
  type OptionCheck,
  optional,
} from "../../errors/options.ts";
import { checkPrices } from "../pricing.ts";
import type { Prices } from "../../contracts/prices.ts";
import { ProviderError } from "../provider-error.ts";
import { AnswerSampler } from "../mock/sample-answer.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../../contracts/provider.ts";

/**
 * One scripted answer: its text, `json` for a value that becomes its JSON text, a response whose missing fields are filled
 * in, or an error that is thrown.
 */
export type MockAnswer = string | { readonly json: unknown } | Partial<LLMResponse> | Error;

/**
 * Shares of calls that go wrong, 0 to 1 each and at most 1 together. A hash of the request and of the number of times that it
 * was sent decides which calls.
 */
export interface MockFaults {
  /** A transient error with status 500. */
  readonly serverError?: number;
  /** A transient error with status 429. */
  readonly rateLimit?: number;
  readonly connectionReset?: number;
  /** An answer that is not JSON. */
  readonly invalidJSON?: number;
  /** A number beyond its limits; if the answer has no number, its first field is missing. */
  readonly outOfRange?: number;
  readonly refusal?: number;
  readonly contentFilter?: number;
  /** An answer cut off at its token limit. */
  readonly length?: number;
}

export interface MockProviderOptions {
  /** Another seed gives other answers. @default 1 */
  readonly seed?: number | undefined;
  /** The duration of a call, in milliseconds. `[from, to]` spreads it evenly; the request decides. @default 0 */
  readonly latencyMs?: number | readonly [number, number] | undefined;
  /**
   * Scripted answers instead of samples. A list answers the calls in their order. A function answers each call;
   * `callNumber` counts from 1. A call that gets nothing from either is answered with a sample.
   */
  readonly responses?:
    | readonly MockAnswer[]
    | ((request: LLMRequest, callNumber: number) => MockAnswer | undefined)
    | undefined;
  readonly faults?: MockFaults | undefined;
  /** The model's name in answers, logs and lineage. @default "mock" */
  readonly model?: string | undefined;
  /** Prices of its tokens, to try out `maxCost` and reports. @default none, and no cost */
  readonly prices?: Prices | undefined;
}

/**
 * A model in this process, without network, key or cost. Its answers are plausible, valid for any schema, and the same in
 * every run. Faults, latency and single answers can be scripted.
 *
 * @example new MockProvider({ latencyMs: 20, faults: { serverError: 0.02 } })
 */
export class MockProvider implements LLMProvider {
  readonly name = "mock";
  readonly prices: Prices | undefined;
  readonly #options: { [Name in keyof Omit<MockProviderOptions, "prices">]-?: NonNullable<MockProviderOptions[Name]> };
  readonly #sampler: AnswerSampler;
  /** The number of faults that each request has met, so that a retry draws anew. */
  readonly #timesSeen = new Map<string, number>();
  #callCount = 0;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: MockProviderOptions = {}) {
    checkOptions("MockProvider", options, {
      seed: optional(isCount(0)),
      latencyMs: optional(isLatency),
      responses: optional(isScript),
      faults: optional(isObject),
      model: optional(isName),
      prices: optional(isObject),
    });
    if (options.prices !== undefined) checkPrices("MockProvider", options.prices);
    this.prices = options.prices;
    const { seed = 1, latencyMs = 0, responses = [], faults = {}, model = "mock" } = options;
    const shares = { serverError: isShare, rateLimit: isShare, connectionReset: isShare, invalidJSON: isShare };
    const others = { outOfRange: isShare, refusal: isShare, contentFilter: isShare, length: isShare };
    checkOptions("MockProvider faults", faults, { ...shares, ...others });
    const total = Object.values(faults).reduce<number>((sum, share) => sum + share, 0);
    if (total > 1) {
      throw new OptionError("MockProvider", "faults", "", { expected: "shares of at most 1 together", got: total });
    }
    this.#options = { seed, latencyMs, responses, faults, model };
    this.#sampler = new AnswerSampler(seed);
  }

  readonly fingerprint = (): string => {
    const { latencyMs: _, ...settings } = this.#options;
    // A function is known by its text only, and not by the variables that it uses.
    const script = typeof settings.responses === "function" ? String(settings.responses) : settings.responses;
    return JSON.stringify({ provider: this.name, ...settings, responses: script });
  };

  readonly complete = async (request: LLMRequest, signal: AbortSignal): Promise<LLMResponse> => {
    signal.throwIfAborted();
    this.#callCount += 1;
    const scripted = this.#scripted(request, this.#callCount);
    const hash = createHash("sha256")
      .update(JSON.stringify([this.#options.seed, request.messages]))
      .digest();
    const waitMs = this.#latencyMs(hash);
    if (waitMs > 0) await setTimeout(waitMs, undefined, { signal });
    if (scripted !== undefined) return this.#respond(request, scripted);
    const answer = this.#sampler.answer(request.messages, request.schema.json);
    return this.#respond(request, this.#faulty(hash, answer) ?? { json: answer });
  };

  #scripted(request: LLMRequest, callNumber: number): MockAnswer | undefined {
    const { responses } = this.#options;
    return typeof responses === "function" ? responses(request, callNumber) : responses[callNumber - 1];
  }

  #latencyMs(hash: Buffer): number {
    const { latencyMs } = this.#options;
    if (typeof latencyMs === "number") return latencyMs;
    const [from, to] = latencyMs;
    return from + ((to - from) * hash.readUInt32LE(0)) / 0xff_ff_ff_ff;
  }

  #respond(request: LLMRequest, answer: MockAnswer): LLMResponse {
    if (answer instanceof Error) throw answer;
    const given = typeof answer === "string" ? { text: answer } : "json" in answer ? textOf(answer.json) : answer;
    const text = given.text ?? "";
    const inputTokens = request.messages.reduce((sum, { content }) => sum + tokens(content), 0);
    const usage = { inputTokens, cachedTokens: 0, outputTokens: tokens(text), reasoningTokens: 0 };
    return { text, finishReason: "stop", model: this.#options.model, usage, ...given };
  }

  /** The answer of the fault that this call meets; undefined if it meets none. */
  #faulty(hash: Buffer, answer: unknown): MockAnswer | undefined {
    const shares = Object.entries(this.#options.faults);
    if (shares.length === 0) return undefined;
    const key = hash.toString("base64");
    const seen = this.#timesSeen.get(key) ?? 0;
    const draw = createHash("sha256").update(hash).update(String(seen)).digest().readUInt32LE(0) / 0x1_00_00_00_00;
    let bound = 0;
    const fault = shares.find(([, share]) => draw < (bound += share))?.[0];
    if (fault === undefined) return undefined;
    this.#timesSeen.set(key, seen + 1);
    return answerOf(fault, answer, draw);
  }
}

const isLatency: OptionCheck = {
  expected: "milliseconds from 0 up, or [from, to]",
  fits: (value) => {
    const [from, to] = Array.isArray(value) && value.length === 2 ? value : [value, value];
    return isNumber(0, longestTimerMs).fits(from) && isNumber(0, longestTimerMs).fits(to) && Number(from) <= Number(to);
  },
  required: true,
};

const isScript: OptionCheck = {
  expected: "an array of answers or a function",
  fits: (value) => Array.isArray(value) || typeof value === "function",
  required: true,
};

const isShare: OptionCheck = optional(isNumber(0, 1));

function answerOf(fault: string, answer: unknown, draw: number): MockAnswer | undefined {
  const text = JSON.stringify(answer);
  switch (fault) {
    case "serverError":
      return new ProviderError("transient", "SERVICE_UNAVAILABLE", "mock: 500 Internal Server Error", { status: 500 });
    case "rateLimit":
      return new ProviderError("transient", "RATE_LIMITED", "mock: 429 Too Many Requests", {
        status: 429,
        retryAfterMs: 20,
      });
    case "connectionReset":
      return new ProviderError("transient", "NETWORK_ERROR", "mock: the connection was reset");
    case "invalidJSON":
      return text.slice(0, Math.max(1, Math.floor(text.length * ((draw * 997) % 1))));
    case "outOfRange":
      return { json: spoil(answer, draw) };
    case "refusal":
      return { text: "I can't help with that.", finishReason: "refusal" };
    case "contentFilter":
      return { text: "", finishReason: "content_filter" };
    case "length":
      return { text: text.slice(0, text.length / 2), finishReason: "length" };
    default:
      return undefined;
  }
}

/** The answer with its first number far out of any range, or without its first field. */
function spoil(answer: unknown, draw: number): unknown {
  if (typeof answer !== "object" || answer === null) return answer;
  const entries: [string, unknown][] = Object.entries(answer);
  const index = entries.findIndex(([, value]) => typeof value === "number");
  if (index === -1) return Object.fromEntries(entries.slice(1));
  return Object.fromEntries(
    entries.map(([name, value], at) => [name, at === index ? 1000 + Math.round(draw * 1e6) : value]),
  );
}

function textOf(json: unknown): { text: string } {
  return { text: JSON.stringify(json) };
}

/** An estimate: four characters are about one token. */
function tokens(text: string): number {
  return Math.ceil(text.length / 4);
}
