import type { BatchService } from "../contracts/provider.ts";
import type { JournalSession, StoredAnswer } from "../contracts/journal.ts";
import type { SubmittedWork } from "../contracts/journal-work.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import { gathered } from "../engine/gathered.ts";
import type { BatchedRequest, BatchRouteOptions, ParkedRequest } from "../llm/call/batch-route.ts";
import type { RowCall } from "../llm/call/row-call.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { ProviderError } from "../llm/provider-error.ts";
import { collect } from "./collect.ts";
import { handOver } from "./hand-over.ts";
import type { ResolvedBatchOptions } from "./options.ts";
import { type ParkedFile, ParkedRequests } from "./parked-requests.ts";
import { recover } from "./recover.ts";
import { WorkStore } from "./work-store.ts";

export interface BatchRunOptions extends ResolvedBatchOptions {
  /** The name of the pipeline. */
  readonly pipeline: string;
  readonly providers: readonly LLMProvider[];
  /** False for a run that asks online what no batch has. */
  readonly parks: boolean;
  /** The cost of the runs before this one under the same limit. @default 0 */
  readonly spentBefore?: number | undefined;
  /** By fingerprint, the errors that came back for rows: they fail, and the next command asks again. */
  readonly errors: Map<string, ProviderError>;
}

/** The batches of one run: those that it collects, those that it waits for, and what it hands over. */
export class BatchRun {
  readonly #options: BatchRunOptions;
  #store: WorkStore | undefined;
  #parked: ParkedRequests | undefined;
  #failure: LLMEtlError | undefined;
  #find: BatchRouteOptions["find"] = async () => await Promise.resolve(undefined);

  constructor(options: BatchRunOptions) {
    this.#options = options;
  }

  /** The works of the pipeline that have not ended. */
  get open(): readonly SubmittedWork[] {
    const { pipeline: name } = this.#options;
    return this.#store?.all.filter(({ pipeline, state }) => pipeline === name && state !== "ended") ?? [];
  }

  /** The first error at which something could not be handed over. */
  get failure(): LLMEtlError | undefined {
    return this.#failure;
  }

  /** The number of requests that were kept for a batch in this run. */
  get parkedRequests(): number {
    return this.#parked?.requests ?? 0;
  }

  /** Learns what the journal knows of batches. Resolves to true if it knows of any, or there will be one. */
  async load(journal: JournalSession): Promise<boolean> {
    const { pipeline, parks } = this.#options;
    const store = await WorkStore.open(journal);
    this.#store = store;
    this.#parked = new ParkedRequests(pipeline, store);
    const findAnswer = gathered(journal.answers.find);
    this.#find = async (fingerprint) => await this.#stateOf(fingerprint, findAnswer);
    return parks || store.all.length > 0;
  }

  /** Takes up what runs before have left, and collects what has ended. */
  async begin(journal: JournalSession, runId: string, signal: AbortSignal): Promise<void> {
    const { keepBatchFiles: keepFiles, batchLookAgainMs: lookAgainMs, errors } = this.#options;
    await this.load(journal);
    const store = this.#store;
    if (store === undefined) return;
    const onError = (fingerprint: string, error: ProviderError): void => void errors.set(fingerprint, error);
    for (const work of this.open) {
      const service = this.#serviceOf(work);
      if (service === undefined) continue;
      try {
        await recover(store, work, service, { lookAgainMs, signal });
        const now = this.#workOf(work.id);
        if (now?.state !== "submitted") continue;
        await collect(now, service, { store, answers: journal.answers, runId, keepFiles, signal, onError });
      } catch (error) {
        if (!mayPass(error)) throw error; // else its rows wait for the next run
      }
    }
  }

  /** The way of this run's calls beneath the journal. */
  get route(): BatchRouteOptions {
    const { parks, onBatchMiss: onMiss, spentBefore = 0 } = this.#options;
    return {
      find: async (fingerprint) => await this.#find(fingerprint),
      counted: async (fingerprint) => {
        const work = await this.#store?.of(fingerprint);
        if (work !== undefined) await this.#store?.remove(work.id, [fingerprint]);
      },
      park: parks ? async (...given) => await this.#park(...given) : undefined,
      onMiss,
      committed: () => this.open.reduce((sum, { facts }) => sum + Number(facts["worstCase"] ?? 0), spentBefore),
    };
  }

  /** Hands over what was kept, unless it is too little: then it is free, and is to be asked online. Resolves to false then. */
  async finish(signal: AbortSignal): Promise<boolean> {
    const { batchMinRequests, batchLookAgainMs: lookAgainMs } = this.#options;
    const store = this.#store;
    const parked = this.#parked;
    if (store === undefined || parked === undefined) return true;
    const isEnough = parked.requests === 0 || parked.requests >= batchMinRequests;
    try {
      for (const file of await parked.end()) {
        if (!isEnough) {
          await store.release(file.work.id);
          await store.save({ ...file.work, state: "ended" });
          continue;
        }
        await this.#handOver(store, file, { lookAgainMs, signal });
      }
    } catch (error) {
      if (!(error instanceof LLMEtlError)) throw error;
      this.#failure = error;
    } finally {
      await parked.remove();
    }
    return isEnough;
  }

  /** True if a batch that this run waits for has ended at its service. */
  async hasEnded(signal: AbortSignal): Promise<boolean> {
    for (const work of this.open) {
      const service = this.#serviceOf(work);
      if (service === undefined) continue;
      if (work.state !== "submitted") return true; // it is to be created
      try {
        if (work.batchId !== null && (await service.retrieve(work.batchId, signal)).state !== "working") return true;
      } catch (error) {
        if (!mayPass(error)) throw error;
      }
    }
    return false;
  }

  async #handOver(
    store: WorkStore,
    file: ParkedFile,
    looking: { readonly lookAgainMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    try {
      await handOver(store, file, looking.signal);
    } catch (error) {
      const left = this.#workOf(file.work.id);
      if (left?.state !== "sent" || !mayPass(error)) throw error;
      await recover(store, left, file.service, looking);
    }
  }

  #workOf(id: string): SubmittedWork | undefined {
    return this.#store?.all.find((work) => work.id === id);
  }

  /** The service of a provider that has the work's deployment. */
  #serviceOf({ provider: name, facts }: SubmittedWork): BatchService | undefined {
    return this.#options.providers.find(
      ({ name: own, batch }) => own === name && batch?.deployment === facts["deployment"],
    )?.batch;
  }

  async #stateOf(
    fingerprint: string,
    findAnswer: (fingerprint: string) => Promise<StoredAnswer | undefined>,
  ): Promise<BatchedRequest | undefined> {
    if (this.#parked?.has(fingerprint) === true) return { state: "open" };
    const error = this.#options.errors.get(fingerprint);
    if (error !== undefined) return { state: "collected", attempt: 1, error };
    const work = await this.#store?.of(fingerprint);
    if (work === undefined) return undefined;
    if (work.state !== "ended") return { state: "open" };
    const attempt = Number(work.facts["attempt"] ?? 1);
    return { state: "collected", attempt, answer: await findAnswer(fingerprint) };
  }

  async #park(call: RowCall, parked: ParkedRequest): Promise<void> {
    const { batch } = call.provider;
    if (batch === undefined || this.#parked === undefined) {
      throw new ProviderError("run", "SETTING_MISSING", `${call.provider.name} has no Batch API`, {
        where: ["batch"],
        hint: "give the provider its option batch, or run without --batch",
      });
    }
    await this.#parked.add(call, batch, parked);
  }
}

/** True for an error of a service that could not answer for now. */
function mayPass(error: unknown): boolean {
  return error instanceof ProviderError && error.class === "transient";
}
