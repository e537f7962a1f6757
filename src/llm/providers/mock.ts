import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { OptionError } from "../../errors/option.ts";
import { checkOptions, isCount, isName, isNumber, isObject, type OptionCheck, optional } from "../../errors/options.ts";
import { checkPrices } from "../pricing.ts";
import type { Prices } from "../../contracts/prices.ts";
import { ProviderError } from "../provider-error.ts";
import { AnswerSampler } from "../mock/sample-answer.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../../contracts/provider.ts";

/**
 * One scripted answer: the text as it comes, an object that becomes its JSON, a response of which what is left out
 * is filled in, or an error that is thrown.
 */
export type MockAnswer = string | { readonly json: unknown } | Partial<LLMResponse> | Error;

/** Shares of calls, 0 to 1 each, that go wrong. A hash of the request and of how often it was seen decides which. */
export interface MockFaults {
  /** 500 from the service. */
  readonly serverError?: number;
  /** 429 from the service. */
  readonly rateLimit?: number;
  readonly connectionReset?: number;
  /** An answer that is not JSON. */
  readonly invalidJSON?: number;
  /** A number beyond its limits; in a schema without one, a field that is missing. */
  readonly outOfRange?: number;
  readonly refusal?: number;
  readonly contentFilter?: number;
  /** An answer cut off at its token limit. */
  readonly length?: number;
}

export interface MockProviderOptions {
  /** Another seed gives other answers. @default 1 */
  readonly seed?: number | undefined;
  /** How long a call takes, in milliseconds; `[from, to]` for an even spread, decided by the request. @default 0 */
  readonly latencyMs?: number | readonly [number, number] | undefined;
  /**
   * What to answer instead of a sample: a list is used up in the order of the calls, a function is asked for each
   * call (`callNumber` counts from 1); where it gives nothing, the answer is a sample.
   */
  readonly responses?:
    | readonly MockAnswer[]
    | ((request: LLMRequest, callNumber: number) => MockAnswer | undefined)
    | undefined;
  readonly faults?: MockFaults | undefined;
  /** The model's name in answers, logs and lineage. @default "mock" */
  readonly model?: string | undefined;
  /** What its tokens are to cost, to try out `maxCost` and reports. @default none */
  readonly prices?: Prices | undefined;
}

/**
 * A model in this process: no network, no key, no cost. Its answers are valid for any schema, plausible, and the same
 * in every run; faults, latency and single answers can be scripted.
 */
export class MockProvider implements LLMProvider {
  readonly name = "mock";
  readonly prices: Prices | undefined;
  readonly #options: { [Name in keyof Omit<MockProviderOptions, "prices">]-?: NonNullable<MockProviderOptions[Name]> };
  readonly #sampler: AnswerSampler;
  /** How often each request that met a fault was seen, so that a retry does not meet it for ever. */
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
    if (total > 1) throw new OptionError("MockProvider", "faults", `expected shares of at most 1 in all, got ${total}`);
    this.#options = { seed, latencyMs, responses, faults, model };
    this.#sampler = new AnswerSampler(seed);
  }

  readonly fingerprint = (): string => {
    const { latencyMs: _, ...settings } = this.#options;
    // Of a function only its text is known: what it closes over is not.
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

  /** The fault that this call meets, if any. */
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
    return isNumber(0).fits(from) && isNumber(0).fits(to) && Number(from) <= Number(to);
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

/** About four characters a token. */
function tokens(text: string): number {
  return Math.ceil(text.length / 4);
}
