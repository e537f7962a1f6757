import type { RowOutcome, RunEvent } from "../contracts/events.ts";
import type { StepFigures } from "../contracts/run-detail.ts";
import { CostSum } from "./cost-sum.ts";
import { Latencies } from "./latencies.ts";
import { Spending } from "./spending.ts";

/** A prompt that is built anew for each row has as many hashes as rows. */
const mostNames = 20;

/** Counts a run's events, by step. */
export class StepTally {
  #currency: string | null;
  readonly #steps = new Map<string, Counts>();
  /** The rows whose last call failed, by primary key; each at the one step that it is at. */
  readonly #failedLast = new Set<string>();

  /** `currency` is that of the providers' own prices, or null: then that of the first list price counts. */
  constructor(steps: readonly string[], currency: string | null) {
    this.#currency = currency;
    for (const step of steps) this.#steps.set(step, newCounts());
  }

  add(event: RunEvent): void {
    if (event.type === "list-price") this.#currency ??= event.prices?.currency ?? null;
    if (event.type === "row-end" && event.pk !== null) this.#endRow(event.pk, event.outcome);
    const counts = "step" in event && event.step !== null ? this.#steps.get(event.step) : undefined;
    if (counts === undefined) return;
    if (event.type === "re-ask") counts.reAsks += 1;
    if (event.type === "call-start" && this.#failedLast.delete(event.pk)) counts.retries += 1;
    if (event.type === "call-end" && event.wasSent !== false) this.#addCall(counts, event);
    if (event.type === "answer-reuse") {
      counts.reusedAnswers += 1;
      counts.spending.addReuse(event, event.isOfThisRun === true);
      addName(counts.promptHashes, event.promptHash);
      addName(counts.models, event.model);
    }
  }

  /** The counts so far, of the steps that made a call or reused an answer. */
  get figures(): readonly StepFigures[] {
    const used = [...this.#steps].filter(([, { calls, reusedAnswers }]) => calls + reusedAnswers > 0);
    return used.map(([step, counts]) => figuresOf(step, counts, this.#currency));
  }

  #endRow(pk: string, outcome: RowOutcome): void {
    this.#failedLast.delete(pk);
    const isBad = outcome === "failed" || outcome === "skipped";
    for (const { spending } of this.#steps.values()) spending.endRow(pk, isBad);
  }

  #addCall(counts: Counts, call: Extract<RunEvent, { readonly type: "call-end" }>): void {
    counts.calls += 1;
    counts.inputTokens += call.inputTokens;
    counts.cachedTokens += call.cachedTokens;
    counts.outputTokens += call.outputTokens;
    counts.reasoningTokens += call.reasoningTokens;
    counts.cost.add(call);
    counts.spending.addCall(call.pk, call.kind ?? "first", call);
    addName(counts.promptHashes, call.promptHash);
    if (call.model !== null) addName(counts.models, call.model);
    if (call.errorCode === null) counts.latencies.add(call.latencyMs);
    else this.#failedLast.add(call.pk);
    if (call.errorCode === "RATE_LIMITED") counts.rateLimited += 1;
  }
}

type Counts = ReturnType<typeof newCounts>;

function newCounts() {
  return {
    calls: 0,
    reusedAnswers: 0,
    reAsks: 0,
    retries: 0,
    rateLimited: 0,
    inputTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    cost: new CostSum(),
    spending: new Spending(),
    latencies: new Latencies(),
    promptHashes: new Set<string>(),
    models: new Set<string>(),
  };
}

function figuresOf(step: string, counts: Counts, currency: string | null): StepFigures {
  const { cost, spending, latencies, promptHashes, models, ...numbers } = counts;
  return {
    step,
    ...numbers,
    cost: cost.in(currency),
    spending: spending.figures(currency),
    latency: latencies.figures,
    promptHashes: [...promptHashes],
    models: [...models],
  };
}

function addName(names: Set<string>, name: string): void {
  if (names.size < mostNames) names.add(name);
}
