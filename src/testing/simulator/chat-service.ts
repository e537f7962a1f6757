import type { IncomingHttpHeaders } from "node:http";
import { isAccepted } from "./access.ts";
import { type Call, ChatModel } from "./chat-model.ts";
import { keysOfBeginnings, readChatRequest, type ChatReading, type ChatRequest } from "./chat-request.ts";
import { type Outcome, type ReplyOutcome, unavailable, whole } from "./fault-outcomes.ts";
import { isAtOnce, isOfConnection, isWithoutAnswer, type SimulatorFaultName } from "./faults.ts";
import type { Labels } from "./labelled-csv.ts";
import { latencyOf } from "./latency.ts";
import type { SimulatorBill } from "./ledger.ts";
import type { AzureOpenAISimulatorChanges, AzureOpenAISimulatorOptions } from "./options.ts";
import { PerDeployment } from "./per-deployment.ts";
import { RateLimiter } from "./rate-limit.ts";
import * as replies from "./replies.ts";
import { drawsFor } from "./request-hash.ts";
import { SchemaBook } from "./schema-book.ts";
import { Tally } from "./tally.ts";
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

/** A request of a batch. */
export interface BatchedRequest {
  readonly number: number;
  readonly body: Buffer;
  /** The deployment whose faults it meets. @default its own */
  readonly faultsOf?: string | undefined;
}

/** The end of a request of a batch. */
export interface BatchedOutcome {
  readonly outcome: ReplyOutcome;
  readonly fault?: SimulatorFaultName | undefined;
}

const maxRemembered = 1_000_000;
/** The assumed limit of output tokens for a request that names none. */
const defaultMaxTokens = 4096;

/** Decides the outcome of each request. It knows nothing of HTTP connections. */
export class ChatService {
  readonly #model: ChatModel;
  readonly #schemas = new SchemaBook();
  readonly #queue = new WorkQueue(() => this.#options.slots ?? Infinity);
  #options: AzureOpenAISimulatorOptions;
  #limiters = new PerDeployment(() => new RateLimiter());
  #timesAskedFlex = new Tally(maxRemembered);

  constructor(options: AzureOpenAISimulatorOptions, labels: Labels | undefined) {
    this.#options = options;
    this.#model = new ChatModel(() => this.#options, labels);
  }

  /** The options of the moment. */
  get options(): AzureOpenAISimulatorOptions {
    return this.#options;
  }

  update(changes: AzureOpenAISimulatorChanges): void {
    this.#options = { ...this.#options, ...changes };
  }

  bill(): SimulatorBill {
    return this.#model.bill();
  }

  /** Forgets every request. The bill of those that are worked on is forgotten, too. */
  reset(): void {
    this.#model.reset();
    this.#limiters = new PerDeployment(() => new RateLimiter());
    this.#timesAskedFlex = new Tally(maxRemembered);
  }

  /** The outcome of a request that comes no further than the door: in an outage, or without an accepted key. */
  turnAway(headers: IncomingHttpHeaders): Outcome | undefined {
    const { apiKeys, tokens, outage = false } = this.#options;
    if (outage === "reset") return { kind: "reset" };
    if (outage !== false) return unavailable(this.#options);
    return isAccepted(headers, { apiKeys, tokens }) ? undefined : whole(replies.unauthorizedReply());
  }

  decide(arrival: Arrival): Decision {
    const { deployments, batch = {} } = this.#options;
    const turnedAway = this.turnAway(arrival.headers);
    if (turnedAway !== undefined) return atOnce(turnedAway);
    const reading = this.#read(arrival);
    if (!reading.ok) return atOnce(whole(reading.reply));
    const { request } = reading;
    if (deployments !== undefined && !deployments.includes(request.deployment)) {
      return atOnce(whole(replies.deploymentNotFoundReply()));
    }
    if (batch.deployments?.includes(request.deployment) === true) return atOnce(whole(replies.batchOnlyReply()));
    if (request.tier === "flex" && this.#isShort(request, arrival.number)) {
      return { ...atOnce(whole(replies.flexShortageReply())), turnedAwayBy: "shortage" };
    }
    return this.#admit(request, arrival);
  }

  /** Works on a request of a batch, at once and without limits. It meets the faults that it would meet online, but for those of connections. */
  work({ number, body, faultsOf }: BatchedRequest): BatchedOutcome {
    const reading = this.#read({ deployment: undefined, apiVersion: undefined, headers: {}, body });
    if (!reading.ok) return { outcome: whole(reading.reply) };
    const { request } = reading;
    const attempt = this.#model.attempt(request, number, faultsOf);
    const fault = attempt.fault !== undefined && isOfConnection(attempt.fault) ? undefined : attempt.fault;
    const id = `chatcmpl-simulator-batch-${number}`;
    const outcome = this.#model.begin({ ...attempt, fault, request, id, isBatched: true })();
    if (outcome.kind !== "reply") throw new TypeError(`a request of a batch ended as ${outcome.kind}`);
    return { outcome, fault };
  }

  #read({ deployment, apiVersion, headers, body }: Omit<Arrival, "number" | "nowMs">): ChatReading {
    const { responseFormats, showsSchema, tiers, reasoning = false } = this.#options;
    const schemas = this.#schemas;
    const rules = { deployment, apiVersion, headers, reasoning, schemas, responseFormats, showsSchema, tiers };
    return readChatRequest(body, rules);
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
    const id = `chatcmpl-simulator-${number}`;
    const early = faultsUseQuota ? undefined : this.#model.attempt(request, number);
    if (early?.fault !== undefined && isWithoutAnswer(early.fault)) return this.#process({ request, id, ...early }, []);
    const admission = this.#limiters.of(request.deployment).admit(estimate, limits, nowMs);
    const { exceeded, retryAfterMs: waitMs } = admission;
    const headers = rateLimitHeaders ? admission.headers : [];
    if (exceeded === undefined) {
      return this.#process({ request, id, ...(early ?? this.#model.attempt(request, number)) }, headers);
    }
    const detail = exceeded === "tokens" ? ` (this request was estimated at ${estimate})` : "";
    const reply = replies.rateLimitReply(exceeded, waitMs, detail, form);
    return { ...atOnce(whole(reply)), headers, turnedAwayBy: "limit" };
  }

  #process(call: Call, headers: readonly string[]): Decision {
    const { latencyMs = 0, slots } = this.#options;
    const { fault, draws } = call;
    const outcome = this.#model.begin(call);
    const isQuick = fault !== undefined && isAtOnce(fault);
    return {
      waitMs: isQuick ? 0 : latencyOf(latencyMs, draws),
      queue: isQuick || slots === undefined ? undefined : this.#queue,
      outcome,
      headers,
      fault,
    };
  }
}

function atOnce(outcome: Outcome): Decision {
  return { waitMs: 0, outcome: () => outcome, headers: [] };
}
