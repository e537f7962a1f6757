import type { IncomingHttpHeaders } from "node:http";
import { messageOf } from "../../errors/error-text.ts";
import { isAccepted } from "./access.ts";
import { AnswerMaker } from "./answers.ts";
import { keysOfBeginnings, readChatRequest, type ChatRequest } from "./chat-request.ts";
import {
  assertFaultName,
  drawsOfRow,
  faultFor,
  faultWaitMs,
  isWithoutAnswer,
  type SimulatorFaultName,
  type SimulatorFaultWaits,
} from "./faults.ts";
import type { Labels } from "./labelled-csv.ts";
import { latencyOf } from "./latency.ts";
import type { AzureOpenAISimulatorChanges, AzureOpenAISimulatorOptions } from "./options.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { RateLimiter } from "./rate-limit.ts";
import * as replies from "./replies.ts";
import { drawsFor, type Draws } from "./request-hash.ts";
import { retryAfterHeaders } from "./retry-after.ts";
import { SchemaBook } from "./schema-book.ts";
import type { AnswerTokens } from "./statistics.ts";
import { Tally } from "./tally.ts";

/** The end of a request, as its client sees it. */
export type Outcome =
  | {
      readonly kind: "reply";
      readonly reply: replies.Reply;
      readonly delivery: "whole" | "stalled" | "truncated";
      /** Set for an answer of the model. */
      readonly answered?: { readonly systemMessage: string; readonly tokens: AnswerTokens } | undefined;
    }
  | { readonly kind: "reset" }
  | { readonly kind: "hang" };

export interface Decision {
  /** The time until the outcome, in milliseconds. */
  readonly waitMs: number;
  readonly outcome: () => Outcome;
  /** Headers for any reply, names and values in turn. */
  readonly headers: readonly string[];
  readonly fault?: SimulatorFaultName | undefined;
  /** True if the limits turned the request away. */
  readonly isRateLimited?: boolean | undefined;
}

export interface Arrival {
  readonly number: number;
  readonly deployment: string | undefined;
  readonly apiVersion: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly nowMs: number;
}

/** The state of a deployment. */
interface Deployment {
  readonly limiter: RateLimiter;
  readonly prefixes: PrefixCache;
}

const maxDeployments = 1000;
const maxRemembered = 1_000_000;
/** The assumed limit of output tokens for a request that names none. */
const defaultMaxTokens = 4096;

/** Decides the outcome of each request. It knows nothing of HTTP connections. */
export class ChatService {
  readonly #answers: AnswerMaker;
  readonly #schemas = new SchemaBook();
  #options: AzureOpenAISimulatorOptions;
  #deployments = new Map<string, Deployment>();
  #timesSeen = new Tally(maxRemembered);

  constructor(options: AzureOpenAISimulatorOptions, labels: Labels | undefined) {
    this.#options = options;
    this.#answers = new AnswerMaker(options.seed ?? 1, labels);
  }

  update(changes: AzureOpenAISimulatorChanges): void {
    this.#options = { ...this.#options, ...changes };
  }

  /** Forgets every request. */
  reset(): void {
    this.#deployments = new Map();
    this.#timesSeen = new Tally(maxRemembered);
  }

  decide(arrival: Arrival): Decision {
    const { apiKeys, tokens, outage = false, deployments, reasoning = false } = this.#options;
    if (outage === "reset") return atOnce({ kind: "reset" });
    if (outage !== false) return atOnce(whole(replies.unavailableReply(this.#waitOf("unavailable"))));
    if (!isAccepted(arrival.headers, { apiKeys, tokens })) return atOnce(whole(replies.unauthorizedReply()));
    const { deployment, apiVersion, body } = arrival;
    const reading = readChatRequest(body, { deployment, apiVersion, reasoning, schemas: this.#schemas });
    if (!reading.ok) return atOnce(whole(reading.reply));
    const { request } = reading;
    if (deployments !== undefined && !deployments.includes(request.deployment)) {
      return atOnce(whole(replies.deploymentNotFoundReply()));
    }
    return this.#admit(request, arrival);
  }

  #admit(request: ChatRequest, { nowMs, number }: Arrival): Decision {
    const { requestsPerMinute, tokensPerMinute, limitKind = "window", retryAfter = "exact" } = this.#options;
    const { requestWindowMs = 1000, tokenWindowMs = 60_000, retryAfterForm: form } = this.#options;
    const { rateLimitHeaders = true, faultsUseQuota = true } = this.#options;
    const limits = { limitKind, requestsPerMinute, requestWindowMs, tokensPerMinute, tokenWindowMs, retryAfter };
    const estimate = Math.ceil(request.messageCharacters / 4) + (request.maxTokens ?? defaultMaxTokens);
    const known = this.#deployment(request.deployment);
    const early = faultsUseQuota ? undefined : this.#attempt(request, number);
    if (early?.fault !== undefined && isWithoutAnswer(early.fault)) {
      return this.#process({ request, known, number, ...early }, []);
    }
    const admission = known.limiter.admit(estimate, limits, nowMs);
    const { exceeded, retryAfterMs: waitMs } = admission;
    const headers = rateLimitHeaders ? admission.headers : [];
    if (exceeded === undefined) {
      return this.#process({ request, known, number, ...(early ?? this.#attempt(request, number)) }, headers);
    }
    const detail = exceeded === "tokens" ? ` (this request was estimated at ${estimate})` : "";
    const reply = replies.rateLimitReply(exceeded, waitMs, detail, form);
    return { ...atOnce(whole(reply)), headers, isRateLimited: true };
  }

  /** The draws and the fault of a request. A request that the limits turn away is no attempt: it is not remembered here. */
  #attempt(request: ChatRequest, number: number): Attempt {
    const { seed = 1, faults = {}, fault: chooseFault, faultsBy = "messages" } = this.#options;
    const { deployment, messages, body } = request;
    const keys = keysOfBeginnings(request);
    const first = messages.findIndex(({ role }) => role === "user");
    const key = (faultsBy === "row" ? keys.at(first) : keys.at(-1)) ?? 0;
    const timesSeen = this.#timesSeen.count(key);
    const draws = drawsFor(seed, key, timesSeen);
    const chosen = chooseFault?.({ number, deployment, messages, timesSeen, body });
    if (chosen !== undefined) assertFaultName(chosen);
    return { keys, key, timesSeen, draws, fault: chosen ?? faultFor(faults, seed, messages, draws) };
  }

  #process(call: Call, headers: readonly string[]): Decision {
    const { latencyMs = 0 } = this.#options;
    const { fault, draws } = call;
    this.#timesSeen.meet(call.key);
    return {
      waitMs: fault !== undefined && quick.has(fault) ? 0 : latencyOf(latencyMs, draws),
      outcome: () => this.#outcome(call),
      headers,
      fault,
    };
  }

  /** The headers that name the wait of a fault. */
  #waitOf(fault: keyof SimulatorFaultWaits): readonly string[] {
    const { faultRetryAfterMs, retryAfterForm = "both" } = this.#options;
    return retryAfterHeaders(retryAfterForm, faultWaitMs(fault, faultRetryAfterMs));
  }

  #outcome(call: Call): Outcome {
    const { fault, request, draws } = call;
    const { faultRetryAfterMs, retryAfterForm } = this.#options;
    switch (fault) {
      case "rateLimit":
        return whole(
          replies.rateLimitReply("requests", faultWaitMs(fault, faultRetryAfterMs, draws), "", retryAfterForm),
        );
      case "serverError":
        return whole(replies.serverErrorReply(this.#waitOf("serverError")));
      case "unavailable":
        return whole(replies.unavailableReply(this.#waitOf("unavailable")));
      case "connectionReset":
        return { kind: "reset" };
      case "hang":
        return { kind: "hang" };
      case "html":
        return whole(replies.pageReply());
      case "contentFilterPrompt":
        return whole(replies.promptFilteredReply());
      case "unauthorized":
        return whole(replies.unauthorizedReply());
      case "deploymentNotFound":
        return whole(replies.deploymentNotFoundReply());
      case "quotaExhausted":
        return whole(replies.quotaExhaustedReply(this.#waitOf("quotaExhausted")));
      case "contextLength":
        return whole(replies.contextLengthReply(Math.ceil(request.messageCharacters / 4)));
      case "badSchema":
        return whole(replies.badSchemaReply("the simulator's options reject it"));
      case "stalledBody":
      case "truncatedBody":
      case "invalidJSON":
      case "outOfRange":
      case "wrongEnum":
      case "refusal":
      case "contentFilterAnswer":
      case "length":
      case undefined:
        return this.#answer(call);
      default:
        return fault satisfies never;
    }
  }

  #answer({ request, known, number, keys, timesSeen, draws, fault }: Call): Outcome {
    const { seed = 1, mistakes = "different", reasoning = false, model = request.deployment } = this.#options;
    const same = mistakes === "different" ? undefined : { draws: drawsOfRow(seed, request.messages), timesSeen };
    let content: string;
    try {
      content = this.#answers.content(request, fault, draws, same);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return whole(replies.badSchemaReply(`no finite answer fits it (${messageOf(error)})`));
    }
    const said = spoken(fault, content);
    const { maxTokens = Infinity, schemaCharacters, messageCharacters, schemaKey, messages } = request;
    const reasoningTokens = reasoning ? Math.min(maxTokens, 64 * (1 + Math.floor(4 * draws.share(7)))) : 0;
    const room = 4 * (maxTokens - reasoningTokens);
    const isCut = said.content !== null && said.content.length > room;
    const text = isCut ? (said.content?.slice(0, room).toWellFormed() ?? null) : said.content;
    let characters = schemaCharacters;
    const cachedTokens = known.prefixes.cachedTokens({
      keys,
      schemaKey,
      characters: messages.map((message) => (characters += message.content.length)),
    });
    const tokens: AnswerTokens = {
      promptTokens: Math.ceil((schemaCharacters + messageCharacters) / 4),
      cachedTokens,
      completionTokens: reasoningTokens + Math.ceil((text ?? said.refusal ?? "").length / 4),
      reasoningTokens,
    };
    const finishReason = isCut ? "length" : said.finishReason;
    const id = `chatcmpl-simulator-${number}`;
    const reply = replies.completionReply({ id, model, finishReason, content: text, refusal: said.refusal, ...tokens });
    if (fault === "stalledBody") return { kind: "reply", reply, delivery: "stalled" };
    if (fault === "truncatedBody") return { kind: "reply", reply, delivery: "truncated" };
    const systemMessage = messages.find(({ role }) => role === "system")?.content ?? "";
    return { kind: "reply", reply, delivery: "whole", answered: { systemMessage, tokens } };
  }

  #deployment(name: string): Deployment {
    const known = this.#deployments.get(name);
    if (known !== undefined) return known;
    if (this.#deployments.size >= maxDeployments) this.#deployments.clear(); // a client's invented names must not fill the memory
    const added: Deployment = { limiter: new RateLimiter(), prefixes: new PrefixCache() };
    this.#deployments.set(name, added);
    return added;
  }
}

interface Attempt {
  readonly keys: readonly number[];
  /** The key by which attempts are counted. */
  readonly key: number;
  readonly timesSeen: number;
  readonly draws: Draws;
  readonly fault: SimulatorFaultName | undefined;
}
interface Call extends Attempt {
  readonly request: ChatRequest;
  readonly known: Deployment;
  readonly number: number;
}

/** Faults that a service finds before its model starts. */
const quick: ReadonlySet<SimulatorFaultName> = new Set([
  "rateLimit",
  "unauthorized",
  "deploymentNotFound",
  "quotaExhausted",
  "contextLength",
  "badSchema",
  "contentFilterPrompt",
  "connectionReset",
]);

interface Spoken {
  readonly finishReason: "stop" | "length" | "content_filter";
  readonly content: string | null;
  readonly refusal: string | null;
}

function spoken(fault: SimulatorFaultName | undefined, content: string): Spoken {
  if (fault === "refusal") return { finishReason: "stop", content: null, refusal: "I can't help with that." };
  if (fault === "contentFilterAnswer") return { finishReason: "content_filter", content: null, refusal: null };
  if (fault !== "length") return { finishReason: "stop", content, refusal: null };
  return { finishReason: "length", content: content.slice(0, content.length / 2).toWellFormed(), refusal: null };
}

function whole(reply: replies.Reply): Outcome {
  return { kind: "reply", reply, delivery: "whole" };
}

function atOnce(outcome: Outcome): Decision {
  return { waitMs: 0, outcome: () => outcome, headers: [] };
}
