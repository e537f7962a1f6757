import type { EventHandler } from "../contracts/events.ts";
import type { JournalSession } from "../contracts/journal.ts";
import { BatchRun } from "../batches/batch-run.ts";
import { resolveBatchOptions } from "../batches/options.ts";
import type { EngineOptions } from "../engine/engine-options.ts";
import type { LookAhead } from "../engine/look-ahead.ts";
import type { SparePlaces } from "../engine/spare-places.ts";
import { Budget } from "../llm/call/budget.ts";
import { LLMClient, type LLMClientOptions } from "../llm/call/client.ts";
import type { EarlierRuns } from "../llm/call/rejections.ts";
import type { PriceBook } from "../llm/price-book.ts";
import { listCurrency } from "../llm/price-list.ts";
import { openBudget } from "./budget.ts";
import { currencyOf } from "./currency.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { answersOf, type OpenFiles } from "./stores.ts";

export interface CallsOfRun {
  readonly runId: string;
  readonly pipeline: ResolvedPipeline;
  readonly prices: PriceBook;
  readonly emit: EventHandler;
  readonly journal: JournalSession | undefined;
  readonly payloadLog: OpenFiles["payloadLog"];
  readonly sparePlaces: SparePlaces;
  readonly earlier: EarlierRuns | undefined;
  readonly lookAhead: LookAhead | undefined;
  /** Layers of the calls: see {@link LLMClientOptions}. */
  readonly calls: Pick<LLMClientOptions, "outermost" | "carrier"> | undefined;
  /** The batches of the run; undefined for a run that leaves them alone. */
  readonly batches: BatchRun | undefined;
}

/** Gives each step and row its conversation with the step's provider. */
export async function conversationsOf(run: CallsOfRun): Promise<EngineOptions["conversation"]> {
  const { runId, pipeline, prices, emit, journal, payloadLog, sparePlaces, earlier, lookAhead, calls } = run;
  const { name, settings, providers } = pipeline;
  const client = new LLMClient({
    ...calls,
    pipeline: name,
    concurrency: settings.concurrency,
    admission: settings.admission,
    budget: new Budget(settings),
    journalBudget: await openBudget({ ...run, currency: currencyOf(providers) ?? listCurrency }),
    payloadLog,
    journal: journal && { answers: answersOf(journal, lookAhead), runId, reuseEarlier: settings.cache },
    batches: await batchesOf(run),
    earlier,
    sparePlaces,
    prices,
    emit,
  });
  return ({ step, provider }, pk, signal) => client.conversation({ step: step.name, pk, provider, signal });
}

/** The way around batches: of a run that leaves them alone, where the journal knows of any. */
async function batchesOf({ batches, journal, pipeline }: CallsOfRun): Promise<LLMClientOptions["batches"]> {
  if (batches !== undefined) return batches.route;
  if (journal === undefined) return undefined;
  const { name, providers } = pipeline;
  const options = { ...resolveBatchOptions({ onBatchMiss: "online" }), pipeline: name, providers, parks: false };
  const known = new BatchRun({ ...options, errors: new Map() });
  return (await known.load(journal)) ? known.route : undefined;
}
