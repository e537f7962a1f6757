import type { RowOutcome, RunEvent } from "../contracts/events.ts";
import type { JournalSession } from "../contracts/journal.ts";
import type { RunAttempt, RunRow } from "../contracts/run-detail.ts";
import type { AnyStep } from "../contracts/step.ts";
import type { RowInFlight } from "../engine/rows-in-flight.ts";
import type { LLMEtlError } from "../errors/llm-etl-error.ts";
import { CostSum, type Priced } from "./cost-sum.ts";
import { fieldValue, type OutputField, outputFields } from "./output-fields.ts";
import { Timeline } from "./timeline.ts";
import { ValueTally } from "./value-tally.ts";

/** So many rows or attempts are saved at once. */
const mostAtOnce = 1000;

/** So many saves may be on their way before the run waits for one. */
const mostSaving = 4;

/** How often the value counts are saved, in saves. */
const savesBetweenValues = 10;

export interface RunDetailOptions {
  readonly runs: Pick<JournalSession["runs"], "saveRows" | "saveAttempts" | "saveTimeline" | "saveValues">;
  readonly runId: string;
  readonly steps: readonly AnyStep[];
  /** The run's currency; null while no price is known: rows that end then have no cost. */
  readonly currency: () => string | null;
  /** @default the clock */
  readonly now?: (() => number) | undefined;
}

/**
 * Saves a run's rows, attempts, time line and value counts in the journal, many at a time: of a run that is killed those of its last
 * second may be missing. No text of a row or of an answer is in them but names of categories that stand in the pipeline's module.
 */
export class RunDetail {
  readonly #options: RunDetailOptions;
  readonly #fields: readonly (readonly [OutputField, ValueTally])[];
  readonly #timeline: Timeline;
  /** By primary key, the cost so far of rows that have not ended. */
  readonly #costs = new Map<string, CostSum>();
  readonly #saving = new Set<Promise<void>>();
  #rows: RunRow[] = [];
  #attempts: RunAttempt[] = [];
  #saveCount = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: RunDetailOptions) {
    this.#options = options;
    this.#fields = outputFields(options.steps).map((field) => [field, new ValueTally(field.column)]);
    this.#timeline = new Timeline(options.now);
  }

  readonly observe = (event: RunEvent): void => {
    this.#timeline.add(event);
    if (event.type !== "call-end" || event.wasSent === false) return;
    const { pk, step, kind = "first", latencyMs, errorCode, cost } = event;
    const { startedAt = new Date(Date.now() - latencyMs), waitMs = 0, issueCodes = [] } = event;
    const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = event;
    const usage = { inputTokens, cachedTokens, outputTokens, reasoningTokens, cost };
    this.#attempts.push({ pk, step, kind, startedAt, waitMs, latencyMs, issueCodes, errorCode, ...usage });
    this.#addCost(pk, usage);
    if (this.#attempts.length >= mostAtOnce) this.#saveAttempts();
  };

  readonly rowEnded = (row: RowInFlight, outcome: RowOutcome, error: LLMEtlError | null): void => {
    const { position, pk, step, processed } = row;
    const isInTarget = outcome === "written" || outcome === "unchanged";
    const categories: Record<string, string> = {};
    const confidences: Record<string, number> = {};
    for (const [field, tally] of this.#fields) {
      const value = fieldValue(field, processed);
      const isCategory = field.categories.size > 0 && typeof value === "string" && field.categories.has(value);
      if (isInTarget) tally.add(value, isCategory);
      if (isCategory) categories[field.column] = value;
      if (typeof value === "number" && field.path.at(-1) === "confidence") confidences[field.column] = value;
    }
    const failure = { step: error && step, errorCode: error?.code ?? null, errorMessage: error?.message ?? null };
    const cost = this.#costOf(pk, error);
    this.#rows.push({ position, pk, outcome, ...failure, cost, categories, confidences });
    if (this.#rows.length >= mostAtOnce) this.#saveRows();
  };

  /** Undefined while the journal keeps up; else a promise of it. */
  readonly caughtUp = (): Promise<void> | undefined => {
    return this.#saving.size < mostSaving ? undefined : Promise.race(this.#saving);
  };

  /** Saves what has come since. @throws what the journal has thrown since the run began */
  async save(isLast: boolean): Promise<void> {
    const { runs, runId } = this.#options;
    this.#saveRows();
    this.#saveAttempts();
    const slices = this.#timeline.take();
    if (slices.length > 0) this.#track(runs.saveTimeline(runId, slices));
    this.#saveCount += 1;
    if (isLast || this.#saveCount % savesBetweenValues === 0) {
      this.#track(
        runs.saveValues(
          runId,
          this.#fields.map(([, tally]) => tally.counts),
        ),
      );
    }
    await Promise.all(this.#saving);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** A row whose key is another's has not paid for what that one has. */
  #costOf(pk: string | null, error: LLMEtlError | null): number | null {
    const isOther = pk === null || error?.code === "PRIMARY_KEY_DUPLICATE";
    const cost = (isOther ? undefined : this.#costs.get(pk)) ?? new CostSum();
    if (!isOther) this.#costs.delete(pk);
    return cost.in(this.#options.currency())?.amount ?? null;
  }

  #addCost(pk: string, call: Priced): void {
    const cost = this.#costs.get(pk) ?? new CostSum();
    this.#costs.set(pk, cost);
    cost.add(call);
  }

  #saveRows(): void {
    if (this.#rows.length > 0) this.#track(this.#options.runs.saveRows(this.#options.runId, this.#rows));
    this.#rows = [];
  }

  #saveAttempts(): void {
    if (this.#attempts.length > 0) this.#track(this.#options.runs.saveAttempts(this.#options.runId, this.#attempts));
    this.#attempts = [];
  }

  #track(work: Promise<void>): void {
    const saving = work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => void this.#saving.delete(saving));
    this.#saving.add(saving);
  }
}
