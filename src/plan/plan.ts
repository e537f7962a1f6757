import type { JournalSession } from "../contracts/journal.ts";
import type { RunReport } from "../contracts/report.ts";
import { checkOptions } from "../errors/options.ts";
import type { PriceBook } from "../llm/price-book.ts";
import { listCurrency } from "../llm/price-list.ts";
import { roundAmount } from "../llm/pricing.ts";
import { currencyOf, openPriceBook } from "../pipeline/currency.ts";
import type { PipelineDefinition } from "../pipeline/definition.ts";
import { heldJournal, lookOnlySession, lookOnlySink } from "../pipeline/look-only.ts";
import { type ResolvedPipeline, resolvePipeline } from "../pipeline/resolve.ts";
import { rowsOfRun } from "../pipeline/rows-of-run.ts";
import { type RunContext, startRun } from "../pipeline/run.ts";
import { factsOf } from "../pipeline/run-facts.ts";
import { openJournal } from "../pipeline/stores.ts";
import { AskedRows, type AskedRowsOptions } from "./asked-rows.ts";
import { comparedTiers } from "./call-amounts.ts";
import { type ChosenRequests, chooseRequests } from "./chosen-requests.ts";
import { expectedAnswers, historyOf, type View } from "./expectations.ts";
import { callsOf, OpenRequests } from "./open-requests.ts";
import { planChecks, type PlanEvent, type PlanLimit, type PlanOptions } from "./options.ts";
import type { PlanFacts } from "./plan-facts.ts";
import { reportOf } from "./plan-report.ts";
import { randomFrom } from "./random.ts";
import type { PlanReport } from "./report.ts";
import { rowsAt } from "./sample-rows.ts";
import { RequestSize, tokenCounter, type TokenCounter } from "./token-count.ts";

/** Counts what a run would ask, asks a sample of it, and estimates the rest: see `RunnablePipeline.plan`. */
export async function planPipeline(definition: PipelineDefinition, options: PlanOptions = {}): Promise<PlanReport> {
  checkOptions("plan", options, planChecks);
  const { sample: _sample, calls: _calls, seed: _seed, onPlanEvent: _onPlanEvent, ...runOptions } = options;
  const pipeline = resolvePipeline(definition, runOptions);
  currencyOf(pipeline.providers);
  const prices = await openPriceBook(pipeline, { emit: () => {} });
  const { journal } = pipeline.stores;
  const signal = options.signal ?? new AbortController().signal;
  const facts = factsOf(pipeline, { runId: crypto.randomUUID(), kind: "plan", startedAt: new Date() });
  const session = journal === null ? undefined : await openJournal(journal, facts, pipeline.settings, signal);
  try {
    return await new Planning({ pipeline, options, session, prices, counter: await tokenCounter() }).plan();
  } finally {
    await session?.close();
  }
}

interface PlanningOptions {
  readonly pipeline: ResolvedPipeline;
  readonly options: PlanOptions;
  readonly session: JournalSession | undefined;
  readonly prices: PriceBook;
  readonly counter: TokenCounter;
}

/** A plan in the making, while the journal is held. */
class Planning {
  readonly #prices: PriceBook;
  readonly #pipeline: ResolvedPipeline;
  readonly #options: PlanOptions;
  readonly #session: JournalSession | undefined;
  readonly #counter: TokenCounter;
  readonly #size: RequestSize;
  readonly #random: () => number;
  /** Set once `onPlanEvent` threw. */
  #thrown: { readonly error: unknown } | undefined;

  constructor({ pipeline, options, session, prices, counter }: PlanningOptions) {
    this.#prices = prices;
    this.#pipeline = pipeline;
    this.#options = options;
    this.#session = session;
    this.#counter = counter;
    this.#size = new RequestSize(counter.count);
    this.#random = randomFrom(options.seed ?? 0);
  }

  async plan(): Promise<PlanReport> {
    const { sample = 120, calls = true } = this.#options;
    const open = await this.#count();
    const chosen = chooseRequests(open.all, sample, this.#random);
    const limit = this.#limitOf(chosen);
    const { maxCost } = this.#pipeline.settings;
    const isBelowOneCall = chosen.requests.length > 0 && chosen.requests.every((one) => maxCost < one.worstCase);
    const facts = {
      pipeline: this.#pipeline,
      open,
      chosen,
      counter: this.#counter,
      prices: this.#prices,
      limit,
      isBelowOneCall,
      seed: this.#options.seed ?? 0,
    };
    const nothing = { asked: undefined, spent: {} };
    if (!calls || isBelowOneCall) return reportOf({ ...facts, ...nothing, ...(await this.#expect(chosen)) });
    const { rows, asked } = await this.#ask(chosen, limit);
    const sampled = { ...facts, asked, spent: rows.spent };
    // A sample that a limit has stopped before its first row had ended tells nothing.
    if (asked !== undefined && rows.endedCount === 0 && chosen.of > 0 && asked.error !== null) {
      return reportOf({ ...sampled, ...(await this.#expect(chosen)) });
    }
    return reportOf({ ...sampled, likeliest: rows });
  }

  /** Takes all rows as far as the journal has answers. */
  async #count(): Promise<OpenRequests> {
    const { steps } = this.#pipeline;
    const open = new OpenRequests({ size: this.#size, random: this.#random, prices: this.#prices, steps });
    const rows = rowsOfRun(this.#pipeline, {});
    const report = await this.#run(
      { settings: this.#pipeline.settings, identityOf: (identity) => identity, isLookOnly: true },
      {
        calls: { outermost: open.layer, carrier: open.carrier },
        source: async (...given) => open.watched(await rows.source(...given)),
        onOpened: rows.onOpened,
        onEvent: (event) => {
          open.observe(event);
          if (event.type !== "row-end") return;
          const { read } = open.rows;
          if (read % 1000 === 0) this.#tell({ type: "rows-looked-up", rowCount: read });
        },
      },
    );
    if (report.error !== null) throw report.error;
    this.#tell({ type: "rows-looked-up", rowCount: open.rows.read });
    return open;
  }

  /** The most that the sample may spend: twice the worst cases of what it is likely to ask, and no more than the pipeline allows. */
  #limitOf({ requests }: ChosenRequests): PlanLimit {
    const { settings, steps, providers } = this.#pipeline;
    const callsFrom = new Map(
      steps.map(({ step }, place) => [step.name, steps.slice(place).reduce((sum, one) => sum + callsOf(one), 0)]),
    );
    let calls = 0;
    let cost = 0;
    for (const { step, places, worstCase, worstCaseBehind } of requests) {
      calls += 4 * (1 + places.length * ((callsFrom.get(step) ?? 1) - 1));
      cost += 2 * (worstCase + places.length * worstCaseBehind);
    }
    const isKnown = providers.every((provider) => this.#prices.whyUnknown(provider) === undefined);
    const currency = currencyOf(providers) ?? listCurrency;
    return {
      calls: Math.min(calls, settings.maxCalls),
      cost: isKnown ? { amount: Math.min(roundAmount(cost), settings.maxCost), currency } : null,
    };
  }

  /** Asks the chosen requests, and takes their rows through all steps. */
  async #ask(chosen: ChosenRequests, limit: PlanLimit): Promise<{ rows: AskedRows; asked: RunReport | undefined }> {
    const rows = new AskedRows(this.#rowsOptions(), chosen.requests);
    const { settings } = this.#pipeline;
    const { places } = chosen;
    const { requests, of } = { requests: chosen.requests.length, of: chosen.of };
    if (places.length === 0) return { rows, asked: undefined };
    this.#tell({ type: "sample-start", requests, of, rows: places.length, atMost: limit });
    const maxCost = limit.cost?.amount ?? Infinity;
    const report = await this.#run(
      {
        settings: { ...settings, maxCalls: limit.calls, maxCost, concurrency: this.#concurrencyOf(chosen, maxCost) },
        identityOf: (identity) => `${identity} (plan)`,
        isLookOnly: false,
      },
      {
        calls: { outermost: rows.layer },
        source: async () => await Promise.resolve(rowsAt(this.#pipeline.source, places)),
        onEvent: (event) => {
          rows.observe(event);
          if (event.type === "row-end") {
            this.#tell({ type: "sample-row", rowCount: rows.endedCount, of: places.length });
          }
        },
      },
    );
    const { error } = report;
    const isLimit = error?.code === "LIMIT_REACHED" || error?.code === "WAITING_FOR_BATCH";
    if (error !== null && !isLimit && (report.status === "aborted" || rows.endedCount === 0)) throw error;
    return { rows, asked: report };
  }

  /** As many rows at once as may end under the limit: rows that it stops midway tell nothing. */
  #concurrencyOf({ requests }: ChosenRequests, maxCost: number): number {
    const { concurrency } = this.#pipeline.settings;
    const largest = requests.reduce((most, one) => Math.max(most, one.worstCase + one.worstCaseBehind), 0);
    const rowsAtLimit = largest === 0 ? Infinity : Math.floor(maxCost / (4 * largest));
    return Math.max(1, Math.min(concurrency, rowsAtLimit));
  }

  /** Takes the rows of the chosen requests through the steps with answers that are made up, in three views of what they would take. */
  async #expect(chosen: ChosenRequests): Promise<Pick<PlanFacts, "likeliest" | "expected">> {
    const { stores, name } = this.#pipeline;
    const history = stores.journal === null ? new Map() : await historyOf(stores.journal, name);
    const view = async (which: View): Promise<AskedRows> => {
      const rows = new AskedRows(this.#rowsOptions(), chosen.requests);
      const counting = { counter: this.#counter, size: this.#size, history, prices: this.#prices };
      const carrier = expectedAnswers({
        ...counting,
        view: which,
        rows,
        isShared: stores.journal !== null,
      });
      const report = await this.#run(
        { settings: this.#pipeline.settings, identityOf: (identity) => identity, isLookOnly: true },
        {
          calls: { outermost: rows.layer, carrier },
          source: async () => await Promise.resolve(rowsAt(this.#pipeline.source, chosen.places)),
          onEvent: rows.observe,
        },
      );
      if (report.error !== null) throw report.error;
      return rows;
    };
    const [likeliest, low, high] = [await view("likeliest"), await view("low"), await view("high")];
    return { likeliest, expected: { low, high, history } };
  }

  #tell(event: PlanEvent): void {
    try {
      this.#options.onPlanEvent?.(event);
    } catch (error) {
      this.#thrown ??= { error };
      throw error;
    }
  }

  #rowsOptions(): AskedRowsOptions {
    const { steps, providers } = this.#pipeline;
    const chosenTiers = new Set(
      providers.map(({ tier }) => (tier === "default" || tier === "auto" ? undefined : tier)),
    );
    return {
      steps: steps.map(({ step }) => step.name),
      providers,
      tiers: [...new Set([...comparedTiers, ...chosenTiers])],
      prices: this.#prices,
    };
  }

  /** Runs rows through the steps, without a target and without dead letters. */
  async #run(
    { settings, identityOf, isLookOnly }: RunLook,
    context: Omit<RunContext, "kind" | "signal" | "stopNowSignal" | "deadLetter">,
  ): Promise<RunReport> {
    const { stores, destinations } = this.#pipeline;
    const { signal, stopNowSignal } = this.#options;
    const session = this.#session;
    const { journal } = stores;
    const used = session === undefined || !isLookOnly ? session : lookOnlySession(session);
    const limits = isLookOnly ? { maxCalls: Infinity, maxCost: Infinity } : {};
    const report = await startRun(
      {
        ...this.#pipeline,
        settings: {
          ...settings,
          ...limits,
          onRowError: "skip",
          maxRowErrors: Infinity,
          stopsAtFirstFailures: false,
          countRows: false,
        },
        destinations: destinations.map(({ sink, each, label }) => {
          return { sink: lookOnlySink(sink, identityOf(sink.identity)), each, label };
        }),
        stores: {
          journal: journal === null || used === undefined ? null : heldJournal(journal, used),
          payloadLog: isLookOnly ? null : stores.payloadLog,
          deadLetter: null,
        },
      },
      { ...context, kind: "plan", signal, stopNowSignal },
    );
    if (this.#thrown !== undefined) throw this.#thrown.error; // it is no fault of a row or of the run
    return report;
  }
}

/** One way through the rows. */
interface RunLook {
  readonly settings: ResolvedPipeline["settings"];
  readonly identityOf: (identity: string) => string;
  /** True if nothing is saved. */
  readonly isLookOnly: boolean;
}
