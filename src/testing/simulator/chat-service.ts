import type { IncomingHttpHeaders } from "node:http";
import { messageOf } from "../../errors/error-text.ts";
import { isAccepted } from "./access.ts";
import { AnswerMaker } from "./answers.ts";
import { keyOfRow, keysOfBeginnings, readChatRequest, type ChatRequest } from "./chat-request.ts";
import { type Outcome, outcomeInstead, unavailable, whole } from "./fault-outcomes.ts";
import { assertFaultName, drawsOfRow, faultFor, isAtOnce, isWithoutAnswer, type SimulatorFaultName } from "./faults.ts";
import type { Labels } from "./labelled-csv.ts";
import { latencyOf } from "./latency.ts";
import { type BilledRequest, Ledger, type SimulatorBill } from "./ledger.ts";
import type { AzureOpenAISimulatorChanges, AzureOpenAISimulatorOptions } from "./options.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { RateLimiter } from "./rate-limit.ts";
import * as replies from "./replies.ts";
import { drawsFor, type Draws } from "./request-hash.ts";
import { namesFields } from "./response-format.ts";
import { SchemaBook } from "./schema-book.ts";
import { slipOfBlind, spoken, type Spoken } from "./spoken.ts";
import type { AnswerTokens } from "./statistics.ts";
import { Tally } from "./tally.ts";
import type { SimulatorTier } from "./tiers.ts";
import { WorkQueue } from "./work-queue.ts";

export interface Decision {
  /** The time until the outcome, in milliseconds; with a queue, that of the work, which begins when a slot is free. */
  readonly waitMs: number;
  /** The queue of the server whose slots are limited. @default the work begins at once */
  readonly queue?: Pick<WorkQueue, "add"> | undefined;
  readonly outcome: () => Outcome;
  /** Headers for any reply, names and values in turn. */
  readonly headers: readonly string[];
  readonly fault?: SimulatorFaultName | undefined;
  /** Set if the request was turned away: by a limit, or because Flex had no capacity. */
  readonly turnedAwayBy?: "limit" | "shortage" | undefined;
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
  readonly #queue = new WorkQueue(() => this.#options.slots ?? Infinity);
  #options: AzureOpenAISimulatorOptions;
  #deployments = new Map<string, Deployment>();
  #ledger: Ledger;
  #timesSeen = new Tally(maxRemembered);
  #timesAskedFlex = new Tally(maxRemembered);

  constructor(options: AzureOpenAISimulatorOptions, labels: Labels | undefined) {
    this.#options = options;
    this.#ledger = new Ledger(options.prices);
    this.#answers = new AnswerMaker(options.seed ?? 1, labels);
  }

  update(changes: AzureOpenAISimulatorChanges): void {
    this.#options = { ...this.#options, ...changes };
  }

  bill(): SimulatorBill {
    return this.#ledger.read();
  }

  /** Forgets every request. The bill of those that are worked on is forgotten, too. */
  reset(): void {
    this.#ledger = new Ledger(this.#options.prices);
    this.#deployments = new Map();
    this.#timesSeen = new Tally(maxRemembered);
    this.#timesAskedFlex = new Tally(maxRemembered);
  }

  decide(arrival: Arrival): Decision {
    const { apiKeys, tokens, outage = false, deployments, reasoning = false } = this.#options;
    if (outage === "reset") return atOnce({ kind: "reset" });
    if (outage !== false) return atOnce(unavailable(this.#options));
    if (!isAccepted(arrival.headers, { apiKeys, tokens })) return atOnce(whole(replies.unauthorizedReply()));
    const { deployment, apiVersion, headers, body } = arrival;
    const { responseFormats, showsSchema, tiers } = this.#options;
    const schemas = this.#schemas;
    const rules = { deployment, apiVersion, headers, reasoning, schemas, responseFormats, showsSchema, tiers };
    const reading = readChatRequest(body, rules);
    if (!reading.ok) return atOnce(whole(reading.reply));
    const { request } = reading;
    if (deployments !== undefined && !deployments.includes(request.deployment)) {
      return atOnce(whole(replies.deploymentNotFoundReply()));
    }
    if (request.tier === "flex" && this.#isShort(request, arrival.number)) {
      return { ...atOnce(whole(replies.flexShortageReply())), turnedAwayBy: "shortage" };
    }
    return this.#admit(request, arrival);
  }

  /** True if Flex has no capacity for the request, which then meets neither limits nor faults. */
  #isShort(request: ChatRequest, number: number): boolean {
    const { seed = 1, flexShortage = 0 } = this.#options;
    if (flexShortage === 0) return false;
    const key = keysOfBeginnings(request).at(-1) ?? 0;
    const timesSeen = this.#timesAskedFlex.meet(key);
    const { deployment, messages, body } = request;
    if (typeof flexShortage === "function") return flexShortage({ number, deployment, messages, timesSeen, body });
    return drawsFor(seed, key, `flex/${timesSeen}`).share(0) < flexShortage;
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
    return { ...atOnce(whole(reply)), headers, turnedAwayBy: "limit" };
  }

  /** The draws and the fault of a request. A request that the limits turn away is no attempt: it is not remembered here. */
  #attempt(request: ChatRequest, number: number): Attempt {
    const { seed = 1, faults = {}, fault: chooseFault, faultsBy = "messages" } = this.#options;
    const { deployment, messages, body } = request;
    const keys = keysOfBeginnings(request);
    const key = faultsBy === "row" ? keyOfRow(request) : (keys.at(-1) ?? 0);
    const timesSeen = this.#timesSeen.count(key);
    const draws = drawsFor(seed, key, timesSeen);
    const chosen = chooseFault?.({ number, deployment, messages, timesSeen, body });
    if (chosen !== undefined) assertFaultName(chosen);
    return { keys, key, timesSeen, draws, fault: chosen ?? faultFor(faults, seed, messages, draws) };
  }

  #process(call: Call, headers: readonly string[]): Decision {
    const { latencyMs = 0, slots } = this.#options;
    const { fault, draws, request } = call;
    const ledger = this.#ledger;
    this.#timesSeen.meet(call.key);
    ledger.began();
    const isQuick = fault !== undefined && isAtOnce(fault);
    return {
      waitMs: isQuick ? 0 : latencyOf(latencyMs, draws),
      queue: isQuick || slots === undefined ? undefined : this.#queue,
      outcome: () => {
        ledger.ended();
        if (fault === "contentFilterPrompt") ledger.bill(promptAlone(request));
        return outcomeInstead(fault, request, draws, this.#options) ?? this.#answer(call, ledger);
      },
      headers,
      fault,
    };
  }

  #answer(call: Call, ledger: Ledger): Outcome {
    const { request, number, fault, draws } = call;
    const { model = request.deployment } = this.#options;
    const said = this.#said(call);
    if ("kind" in said) return said;
    const tokens = this.#tokensOf(call, said);
    const tier = this.#answeringTier(request, draws);
    ledger.bill({ deployment: request.deployment, tier, ...tokens });
    if (fault === "resetAfterBilling") return { kind: "reset" };
    const id = `chatcmpl-simulator-${number}`;
    const usage = fault === "missingUsage" ? "missing" : fault === "absurdUsage" ? "absurd" : undefined;
    const reply = replies.completionReply({ id, model, tier, usage, ...said, ...tokens });
    if (fault === "stalledBody") return { kind: "reply", reply, delivery: "stalled" };
    if (fault === "truncatedBody") return { kind: "reply", reply, delivery: "truncated" };
    const systemMessage = request.messages.find(({ role }) => role === "system")?.content ?? "";
    return { kind: "reply", reply, delivery: "whole", answered: { systemMessage, tokens } };
  }

  /** The message of the answer; the outcome of a request that no answer fits. */
  #said({ request, timesSeen, draws, fault }: Call): Spoken | Outcome {
    const { seed = 1, mistakes = "different" } = this.#options;
    const { maxTokens = Infinity, schemaText, messages } = request;
    const same = mistakes === "different" ? undefined : { draws: drawsOfRow(seed, messages), timesSeen };
    let content: string;
    try {
      content = this.#answers.content(request, fault, draws, same);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return whole(replies.badSchemaReply(`no finite answer fits it (${messageOf(error)})`));
    }
    const room = 4 * (maxTokens - this.#reasoningTokens(request, draws));
    const slip = fault ?? (this.#knowsFields(request) ? undefined : slipOfBlind(draws));
    return spoken(slip, content, { schemaText, room, draws });
  }

  /** The tokens that are billed: of the answer no more than the request allows. */
  #tokensOf({ request, known, keys, draws }: Call, { content, refusal }: Spoken): AnswerTokens {
    const { maxTokens = Infinity, schemaCharacters, schemaKey, messages } = request;
    let characters = schemaCharacters;
    const { cachedTokens, cacheWriteTokens } = known.prefixes.use({
      keys,
      schemaKey,
      characters: messages.map((message) => (characters += message.content.length)),
    });
    const reasoningTokens = this.#reasoningTokens(request, draws);
    const saidTokens = Math.ceil((content ?? refusal ?? "").length / 4);
    return {
      promptTokens: promptTokensOf(request),
      cachedTokens,
      cacheWriteTokens: this.#options.prices?.cacheWritePerMillion === undefined ? undefined : cacheWriteTokens,
      completionTokens: Math.min(maxTokens, reasoningTokens + saidTokens),
      reasoningTokens,
    };
  }

  #reasoningTokens({ maxTokens = Infinity }: ChatRequest, draws: Draws): number {
    const { reasoning = false } = this.#options;
    return reasoning ? Math.min(maxTokens, 64 * (1 + Math.floor(4 * draws.share(7)))) : 0;
  }

  #answeringTier({ tier }: ChatRequest, draws: Draws): SimulatorTier {
    const { priorityDowngrades = 0 } = this.#options;
    return tier === "priority" && draws.share(6) < priorityDowngrades ? "default" : tier;
  }

  /** True if the model sees the fields of its answer, in the schema or in the messages. */
  #knowsFields({ schema, messages }: ChatRequest): boolean {
    const { showsSchema = true } = this.#options;
    return showsSchema || schema === undefined || namesFields(messages, schema);
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

/** A prompt that was filtered, and that no model answered: Azure OpenAI charges for it (Microsoft Learn, "Plan to manage costs for Azure OpenAI"). */
function promptAlone(request: ChatRequest): BilledRequest {
  const { deployment, tier } = request;
  return { deployment, tier, promptTokens: promptTokensOf(request), cachedTokens: 0, completionTokens: 0 };
}

function promptTokensOf({ schemaCharacters, messageCharacters }: ChatRequest): number {
  return Math.ceil((schemaCharacters + messageCharacters) / 4);
}

function atOnce(outcome: Outcome): Decision {
  return { waitMs: 0, outcome: () => outcome, headers: [] };
}
