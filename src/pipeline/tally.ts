import type { ChangesRead, RunFigures, RunReport } from "../contracts/report.ts";
import type { RowsAside } from "../contracts/sink.ts";
import type { RowOutcome, RunEvent } from "../contracts/events.ts";
import { CostSum } from "./cost-sum.ts";
import { type LLMEtlError, RunError } from "../errors/llm-etl-error.ts";

/** Counts a run's events. */
export class Tally {
  #readCount = 0;
  #emptyRowCount = 0;
  #writtenRowCount = 0;
  readonly #outcomes: Record<RowOutcome, number> = { written: 0, unchanged: 0, failed: 0, skipped: 0, pending: 0 };
  readonly #failuresByCode: Record<string, number> = {};
  readonly #invalidValues: Record<string, number> = {};
  readonly #notApplied: Record<string, number> = {};
  #currency: string | null;
  #priceSource: string | undefined;
  readonly #unlistedModels = new Set<string>();
  readonly #countsTargetRows: boolean;
  #changes: ChangesRead | undefined;
  readonly #cost = new CostSum();
  readonly #savedCost = new CostSum();
  #estimatedCalls = 0;
  #unansweredCalls = 0;
  #timedOutCalls = 0;
  readonly #usage = {
    calls: 0,
    reAsks: 0,
    inputTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    reusedAnswers: 0,
    savedInputTokens: 0,
    savedOutputTokens: 0,
  };

  /** `currency` is that of the providers' own prices, or null: then that of the first list price counts. `countsTargetRows`: a row of the source is not always one of the target. */
  constructor(currency: string | null, countsTargetRows: boolean = false) {
    this.#currency = currency;
    this.#countsTargetRows = countsTargetRows;
  }

  get readCount(): number {
    return this.#readCount;
  }

  /** null while no price is known. */
  get currency(): string | null {
    return this.#currency;
  }

  /** Rows that failed or were skipped. */
  get badCount(): number {
    return this.#outcomes.failed + this.#outcomes.skipped;
  }

  add(event: RunEvent): void {
    if (event.type === "row-start") this.#readCount += 1;
    if (event.type === "empty-rows") this.#emptyRowCount += event.rowCount;
    if (event.type === "changes") {
      const { type: _, ...changes } = event;
      this.#changes = changes;
    }
    if (event.type === "list-price") this.#addListPrice(event);
    if (event.type === "batch-end" && event.outcome === "written") this.#writtenRowCount += event.targetRowCount;
    if (event.type === "row-end") this.#addRow(event.outcome, event.errorCode);
    if (event.type === "re-ask") this.#usage.reAsks += 1;
    if (event.type === "not-applied") addOne(this.#notApplied, event.step);
    if (event.type === "invalid-value") addOne(this.#invalidValues, `${event.step}.${event.field}`);
    if (event.type === "call-end" && event.wasSent !== false) {
      this.#usage.calls += 1;
      if (event.isEstimated) this.#estimatedCalls += 1;
      if (event.errorCode !== null) this.#unansweredCalls += 1;
      if (event.errorCode === "TIMEOUT") this.#timedOutCalls += 1;
      this.#usage.inputTokens += event.inputTokens;
      this.#usage.cachedTokens += event.cachedTokens;
      this.#usage.outputTokens += event.outputTokens;
      this.#cost.add(event);
    }
    if (event.type === "answer-reuse") {
      this.#usage.reusedAnswers += 1;
      this.#usage.savedInputTokens += event.inputTokens;
      this.#usage.savedOutputTokens += event.outputTokens;
      this.#savedCost.add(event);
    }
  }

  /** The figures so far. */
  figures(durationMs: number): RunFigures {
    const { written, unchanged, failed, skipped, pending } = this.#outcomes;
    return {
      readCount: this.#readCount,
      successCount: written + unchanged,
      failureCount: failed,
      skippedCount: skipped,
      unchangedCount: unchanged,
      pendingCount: pending,
      ...(this.#emptyRowCount === 0 ? {} : { emptyRowCount: this.#emptyRowCount }),
      ...(this.#countsTargetRows && { writtenRowCount: this.#writtenRowCount }),
      failuresByCode: { ...this.#failuresByCode },
      ...(Object.keys(this.#notApplied).length > 0 && { notApplied: { ...this.#notApplied } }),
      ...(Object.keys(this.#invalidValues).length > 0 && { invalidValues: { ...this.#invalidValues } }),
      usage: {
        ...this.#usage,
        ...(this.#estimatedCalls > 0 && { estimatedCalls: this.#estimatedCalls }),
        ...(this.#unansweredCalls > 0 && { unansweredCalls: this.#unansweredCalls }),
        ...this.#unpriced,
        ...(this.#timedOutCalls > 0 && { timedOutCalls: this.#timedOutCalls }),
      },
      cost: this.#cost.in(this.#currency),
      savedCost: this.#savedCost.in(this.#currency),
      ...(this.#priceSource !== undefined && { priceSource: this.#priceSource }),
      ...(this.#unlistedModels.size > 0 && { unlistedModels: [...this.#unlistedModels] }),
      durationMs,
    };
  }

  /** The report of the run that ended with `error`, or without one. A run whose counts don't add up has failed. */
  report(run: {
    runId: string;
    error: LLMEtlError | null;
    durationMs: number;
    rowsAside?: readonly RowsAside[];
  }): RunReport {
    const [rowsAside, ...otherRowsAside] = run.rowsAside ?? [];
    const ended = Object.values(this.#outcomes).reduce((sum, count) => sum + count);
    const error = ended === this.#readCount ? run.error : countsError(this.#readCount, ended, run.error);
    return {
      runId: run.runId,
      status: error === null ? "completed" : error.code === "ABORTED" ? "aborted" : "failed",
      error,
      exitCode: exitCode(error, this.#readCount, this.badCount),
      ...(this.#changes === undefined ? {} : { changes: this.#changes }),
      ...(rowsAside === undefined ? {} : { rowsAside }),
      ...(otherRowsAside.length === 0 ? {} : { otherRowsAside }),
      ...this.figures(run.durationMs),
    };
  }

  /** Without any prices it goes without saying. */
  get #unpriced(): Pick<RunFigures["usage"], "unpricedCalls"> {
    const unpricedCalls = this.#cost.unpricedCount;
    return unpricedCalls > 0 && (this.#currency !== null || this.#unlistedModels.size > 0) ? { unpricedCalls } : {};
  }

  #addListPrice({ source, model, prices }: Extract<RunEvent, { readonly type: "list-price" }>): void {
    if (prices === null) return void this.#unlistedModels.add(model);
    this.#currency ??= prices.currency;
    this.#priceSource = source;
  }

  #addRow(outcome: RowOutcome, errorCode: string | null): void {
    this.#outcomes[outcome] += 1;
    if (errorCode !== null) addOne(this.#failuresByCode, errorCode);
  }
}

function addOne(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function exitCode(error: LLMEtlError | null, readCount: number, badCount: number): RunReport["exitCode"] {
  if (error === null) return badCount === 0 ? 0 : 1;
  if (error.scope === "row") return 1;
  const isStopped = error.code === "ABORTED" || error.code === "UNHANDLED_ERROR";
  return readCount === 0 && !isStopped ? 2 : 3;
}

function countsError(readCount: number, ended: number, cause: LLMEtlError | null): RunError {
  return new RunError(
    "COUNTS_DO_NOT_ADD_UP",
    `${readCount} rows were read and ${ended} have ended: rows were lost or counted twice`,
    { cause: cause ?? undefined, facts: { readCount, ended, hint: "please report this as a bug" } },
  );
}
