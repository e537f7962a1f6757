import { messageOf } from "../../errors/error-text.ts";
import { AnswerMaker } from "./answers.ts";
import { keyOfRow, keysOfBeginnings, type ChatRequest } from "./chat-request.ts";
import { type Outcome, outcomeInstead, whole } from "./fault-outcomes.ts";
import { drawsOfRow, faultFor, faultNames, type SimulatorFaultName } from "./faults.ts";
import type { Labels } from "./labelled-csv.ts";
import { type BilledRequest, Ledger, type SimulatorBill } from "./ledger.ts";
import type { AzureOpenAISimulatorOptions } from "./options.ts";
import { PerDeployment } from "./per-deployment.ts";
import { PrefixCache } from "./prefix-cache.ts";
import * as replies from "./replies.ts";
import { drawsFor, type Draws } from "./request-hash.ts";
import { namesFields } from "./response-format.ts";
import { assertName } from "./shares.ts";
import { slipOfBlind, spoken, type Spoken } from "./spoken.ts";
import type { AnswerTokens } from "./statistics.ts";
import { Tally } from "./tally.ts";

const maxRemembered = 1_000_000;

/** Draws and fault of one try of a request. */
export interface Attempt {
  readonly keys: readonly number[];
  /** The key by which attempts are counted. */
  readonly key: number;
  readonly timesSeen: number;
  readonly draws: Draws;
  readonly fault: SimulatorFaultName | undefined;
}

/** A try that is worked on. */
export interface Call extends Attempt {
  readonly request: ChatRequest;
  /** The id of the completion. */
  readonly id: string;
  /** True for a line of a batch, which is billed as one. @default false */
  readonly isBatched?: boolean | undefined;
}

/** The model behind the service: it answers, online and in batches alike, meets the faults of answers, and keeps the bill. */
export class ChatModel {
  readonly #answers: AnswerMaker;
  readonly #options: () => AzureOpenAISimulatorOptions;
  #ledger: Ledger;
  #prefixes = new PerDeployment(() => new PrefixCache());
  #timesSeen = new Tally(maxRemembered);

  /** `options` gives those of the moment. */
  constructor(options: () => AzureOpenAISimulatorOptions, labels: Labels | undefined) {
    const { seed = 1, prices } = options();
    this.#options = options;
    this.#ledger = new Ledger(prices);
    this.#answers = new AnswerMaker(seed, labels);
  }

  bill(): SimulatorBill {
    return this.#ledger.read();
  }

  /** Forgets every request. The bill of those that are worked on is forgotten, too. */
  reset(): void {
    this.#ledger = new Ledger(this.#options().prices);
    this.#prefixes = new PerDeployment(() => new PrefixCache());
    this.#timesSeen = new Tally(maxRemembered);
  }

  /**
   * The draws and the fault of a request, as if `deployment` was asked. It is not counted as a try until it is worked on: one that the limits
   * turn away is none.
   */
  attempt(request: ChatRequest, number: number, deployment: string = request.deployment): Attempt {
    const { seed = 1, faults = {}, fault: chooseFault, faultsBy = "messages" } = this.#options();
    const { messages, body } = request;
    const asked = { deployment, messages };
    const keys = keysOfBeginnings(asked);
    const key = faultsBy === "row" ? keyOfRow(asked) : (keys.at(-1) ?? 0);
    const timesSeen = this.#timesSeen.count(key);
    const draws = drawsFor(seed, key, timesSeen);
    const chosen = chooseFault?.({ number, deployment: request.deployment, messages, timesSeen, body });
    if (chosen !== undefined) assertName("fault", faultNames, chosen);
    return { keys, key, timesSeen, draws, fault: chosen ?? faultFor(faults, seed, messages, draws) };
  }

  /** Counts the try and begins its work: the function that it returns ends the work, bills it, and has its outcome. */
  begin(call: Call): () => Outcome {
    const ledger = this.#ledger;
    this.#timesSeen.meet(call.key);
    ledger.began();
    return () => {
      ledger.ended();
      if (call.fault === "contentFilterPrompt") ledger.bill(promptAlone(call));
      return outcomeInstead(call.fault, call.request, call.draws, this.#options()) ?? this.#answer(call, ledger);
    };
  }

  #answer(call: Call, ledger: Ledger): Outcome {
    const { request, id, fault, draws, isBatched = false } = call;
    const { model = request.deployment } = this.#options();
    const said = this.#said(call);
    if ("kind" in said) return said;
    const tokens = this.#tokensOf(call, said);
    const tier = isBatched ? "default" : this.#answeringTier(request, draws);
    ledger.bill({ deployment: request.deployment, tier: isBatched ? "batch" : tier, ...tokens });
    if (fault === "resetAfterBilling") return { kind: "reset" };
    const usage = fault === "missingUsage" ? "missing" : fault === "absurdUsage" ? "absurd" : undefined;
    const reply = replies.completionReply({ id, model, tier, usage, ...said, ...tokens });
    if (fault === "stalledBody") return { kind: "reply", reply, delivery: "stalled" };
    if (fault === "truncatedBody") return { kind: "reply", reply, delivery: "truncated" };
    const systemMessage = request.messages.find(({ role }) => role === "system")?.content ?? "";
    return { kind: "reply", reply, delivery: "whole", answered: { systemMessage, tokens } };
  }

  /** The message of the answer; the outcome of a request that no answer fits. */
  #said({ request, timesSeen, draws, fault }: Call): Spoken | Outcome {
    const { seed = 1, mistakes = "different" } = this.#options();
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
  #tokensOf({ request, keys, draws }: Call, { content, refusal }: Spoken): AnswerTokens {
    const { maxTokens = Infinity, schemaCharacters, schemaKey, messages } = request;
    let characters = schemaCharacters;
    const { cachedTokens, cacheWriteTokens } = this.#prefixes.of(request.deployment).use({
      keys,
      schemaKey,
      characters: messages.map((message) => (characters += message.content.length)),
    });
    const reasoningTokens = this.#reasoningTokens(request, draws);
    const saidTokens = Math.ceil((content ?? refusal ?? "").length / 4);
    return {
      promptTokens: promptTokensOf(request),
      cachedTokens,
      cacheWriteTokens: this.#options().prices?.cacheWritePerMillion === undefined ? undefined : cacheWriteTokens,
      completionTokens: Math.min(maxTokens, reasoningTokens + saidTokens),
      reasoningTokens,
    };
  }

  #reasoningTokens({ maxTokens = Infinity }: ChatRequest, draws: Draws): number {
    const { reasoning = false } = this.#options();
    return reasoning ? Math.min(maxTokens, 64 * (1 + Math.floor(4 * draws.share(7)))) : 0;
  }

  #answeringTier({ tier }: ChatRequest, draws: Draws): string {
    const { priorityDowngrades = 0 } = this.#options();
    return tier === "priority" && draws.share(6) < priorityDowngrades ? "default" : tier;
  }

  /** True if the model sees the fields of its answer, in the schema or in the messages. */
  #knowsFields({ schema, messages }: ChatRequest): boolean {
    const { showsSchema = true } = this.#options();
    return showsSchema || schema === undefined || namesFields(messages, schema);
  }
}

/** A prompt that was filtered, and that no model answered: Azure OpenAI charges for it (Microsoft Learn, "Plan to manage costs for Azure OpenAI"). */
function promptAlone({ request, isBatched = false }: Call): BilledRequest {
  const { deployment } = request;
  const tier = isBatched ? "batch" : request.tier;
  return { deployment, tier, promptTokens: promptTokensOf(request), cachedTokens: 0, completionTokens: 0 };
}

function promptTokensOf({ schemaCharacters, messageCharacters }: ChatRequest): number {
  return Math.ceil((schemaCharacters + messageCharacters) / 4);
}
