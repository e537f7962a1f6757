import type { RowConversation } from "../../contracts/conversation.ts";
import type { EventHandler } from "../../contracts/events.ts";
import type { StoredAnswer } from "../../contracts/journal.ts";
import type { LLMProvider } from "../../contracts/provider.ts";
import type { Time } from "../../contracts/time.ts";
import type { SparePlaces } from "../../engine/spare-places.ts";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { Admission } from "../limits/admission.ts";
import { defaultLimits } from "../limits/default-limits.ts";
import type { ResolvedAdmissionOptions } from "../limits/options.ts";
import { FirstContact } from "../limits/first-contact.ts";
import { realTime } from "../limits/time.ts";
import type { CallPrices } from "../price-book.ts";
import { admitted } from "./admitted.ts";
import { commitTo } from "./batch-cost.ts";
import { batchRoute, type BatchRouteOptions } from "./batch-route.ts";
import type { Budget } from "./budget.ts";
import { budgeted } from "./budgeted.ts";
import { Canary } from "./canary.ts";
import { compose } from "./compose.ts";
import { CallConversation } from "./conversation.ts";
import type { JournalBudget } from "./journal-budget.ts";
import { journaled, type JournaledOptions, type RowAnswers, rowAnswers } from "./journaled.ts";
import { longerOnce } from "./longer-once.ts";
import type { PayloadLog } from "./payload-log.ts";
import { recorded, reported } from "./recorded.ts";
import { type EarlierRuns, Rejections } from "./rejections.ts";
import { reportTo } from "./report.ts";
import { retried } from "./retried.ts";
import type { RowAsk, RowLayer } from "./row-call.ts";
import { send } from "./send.ts";

export interface LLMClientOptions {
  readonly pipeline: string;
  readonly concurrency: number;
  readonly admission: ResolvedAdmissionOptions;
  readonly budget: Budget;
  /** @default none */
  readonly journalBudget?: JournalBudget | undefined;
  /** Undefined where the log is off. */
  readonly payloadLog: Pick<PayloadLog, "add"> | undefined;
  /** Undefined where there is no journal: then every request is a call. */
  readonly journal: JournaledOptions | undefined;
  /** @default nothing is known of earlier runs */
  readonly earlier?: EarlierRuns | undefined;
  /** @default none */
  readonly sparePlaces?: SparePlaces | undefined;
  /** Sees each call of a row and its end, outside of all other layers. @default nobody does */
  readonly outermost?: RowLayer | undefined;
  /** Takes the place of limits, retries and providers: it is asked for what the journal does not have. @default the provider is asked */
  readonly carrier?: RowAsk | undefined;
  /** Batches of a Batch API, where there are any. @default every call is made online */
  readonly batches?: BatchRouteOptions | undefined;
  /** @default the providers' own */
  readonly prices?: CallPrices | undefined;
  readonly emit: EventHandler;
  /** @default this machine's */
  readonly time?: Time | undefined;
}

/** One step's calls to one provider. */
interface Route {
  readonly step: string;
  readonly provider: LLMProvider;
}

export interface RowOptions extends Route {
  readonly pk: string;
  readonly signal: AbortSignal;
}

/** The time limit of a provider that names none, in milliseconds. */
const defaultTimeoutMs = 60_000;

/** Makes every call of a run. It composes the layers, once for each step and provider. */
export class LLMClient {
  readonly #options: LLMClientOptions;
  readonly #time: Time;
  readonly #journaled: RowLayer | undefined;
  readonly #answers: RowAnswers | undefined;
  readonly #admissions = new Map<LLMProvider, Admission>();
  readonly #canaries = new Map<string, Canary>();
  readonly #rejections = new Map<string, Rejections>();
  #commit: ReturnType<typeof commitTo> | undefined;
  readonly #asks = new Map<LLMProvider, Map<string, RowAsk>>();

  constructor(options: LLMClientOptions) {
    const { emit, prices, batches, time = realTime } = options;
    const journal = options.journal && notInBatches(options.journal, batches);
    this.#options = options;
    this.#time = time;
    this.#journaled = journal && journaled({ ...journal, prices }, emit);
    this.#answers = journal && rowAnswers(journal);
  }

  /** Begins the conversation of one step about one row. */
  conversation(options: RowOptions): RowConversation {
    const { step, pk, provider, signal } = options;
    const ask = this.#asks.get(provider)?.get(step) ?? this.#makeAsk(options);
    const { pipeline } = this.#options;
    return new CallConversation({
      pipeline,
      step,
      pk,
      provider,
      signal,
      ask,
      stop: this.#stop,
      answers: this.#answers,
    });
  }

  #makeAsk({ step, provider }: Route): RowAsk {
    const { carrier, outermost } = this.#options;
    const way = carrier === undefined ? this.#way({ step, provider }) : compose(this.#layersOverCarrier(), carrier);
    const ask = outermost === undefined ? way : outermost(way);
    getOrMake(this.#asks, provider, () => new Map<string, RowAsk>()).set(step, ask);
    return ask;
  }

  /** Through the journal, and what it does not have by a batch or online. */
  #way(route: Route): RowAsk {
    const { batches, emit, payloadLog, prices } = this.#options;
    const layers = this.#layers(route);
    const place = this.#journaled === undefined ? -1 : layers.indexOf(this.#journaled);
    if (batches === undefined || place === -1) return compose(layers, send);
    const online = compose(layers.slice(place + 1), send);
    const noted = recorded({ report: reportTo(emit, payloadLog), emit, time: this.#time, prices });
    const collectedBy = (answer: StoredAnswer): RowAsk => noted(async () => await Promise.resolve(answer));
    const { budget } = this.#options;
    const commit = (this.#commit ??= commitTo(budget, batches.committed, prices));
    return compose(layers.slice(0, place + 1), batchRoute(batches, { online, collectedBy, commit }));
  }

  /** From the outermost to the innermost. Why each stands where it does: tests/llm/call/layers.test.ts. */
  #layers({ step, provider }: Route): readonly RowLayer[] {
    const { budget, journalBudget, payloadLog, prices, emit, earlier, sparePlaces, admission: options } = this.#options;
    const time = this.#time;
    const admission = getOrMake(this.#admissions, provider, () => this.#newAdmission(provider));
    const canary = getOrMake(this.#canaries, step, () => new Canary());
    const rejections = getOrMake(this.#rejections, step, () => new Rejections(earlier));
    const report = reportTo(emit, payloadLog);
    return [
      longerOnce,
      reported(report, time),
      ...(this.#journaled === undefined ? [] : [this.#journaled]),
      canary.layer,
      rejections.layer,
      retried({ ...options, admission, time, sparePlaces }),
      admitted(admission),
      budgeted(budget, journalBudget, prices),
      recorded({ report, emit, time, prices }),
    ];
  }

  #layersOverCarrier(): readonly RowLayer[] {
    return this.#journaled === undefined ? [longerOnce] : [longerOnce, this.#journaled];
  }

  #newAdmission({ name, quota = {}, timeoutMs = defaultTimeoutMs, tierFallbackMs }: LLMProvider): Admission {
    const { concurrency, emit, admission: options } = this.#options;
    const { random } = this.#time;
    const limits = defaultLimits({ concurrency, quota, timeoutMs, tierFallbackMs, options, random });
    const firstContact = new FirstContact(options);
    return new Admission({ provider: name, concurrency, limits, firstContact, time: this.#time, emit });
  }

  /** After an error that ends the run no call goes any more, whoever waits. */
  readonly #stop = (reason: LLMEtlError): void => {
    for (const part of [...this.#admissions.values(), ...this.#canaries.values()]) part.stop(reason);
  };
}

/** The journal without what belongs to a batch: its own way knows what becomes of that. */
function notInBatches(journal: JournaledOptions, batches: BatchRouteOptions | undefined): JournaledOptions {
  if (batches === undefined) return journal;
  const { answers } = journal;
  const find: typeof answers.find = async (fingerprint) =>
    (await batches.find(fingerprint)) === undefined ? await answers.find(fingerprint) : undefined;
  return { ...journal, answers: { ...answers, find } };
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}
