import type { RowOutcome, RunEvent } from "./events.ts";
import { type LLMEtlError, RunError } from "./exceptions.ts";

/** Over every attempt of the run, failed and repeated ones too. */
export interface RunUsage {
  readonly calls: number;
  readonly reAsks: number;
  readonly inputTokens: number;
  /** The part of `inputTokens` that the service had cached. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Answers that were not asked for: the journal had them, or another row was asking for the same. */
  readonly reusedAnswers: number;
  /** The tokens that reused answers had cost when they were paid for. */
  readonly savedInputTokens: number;
  readonly savedOutputTokens: number;
}

export interface RunCost {
  readonly amount: number;
  readonly currency: string;
}

/**
 * What a run did, counted. `readCount` = `successCount` + `failureCount` + `skippedCount` + `pendingCount`, and
 * `unchangedCount` is the part of `successCount` that needed no write.
 */
export interface RunFigures {
  readonly readCount: number;
  /** Rows that are in the target: written, or unchanged since an earlier run. */
  readonly successCount: number;
  readonly failureCount: number;
  readonly skippedCount: number;
  readonly unchangedCount: number;
  /** Rows that were read and not finished when the run stopped; the next run does them. */
  readonly pendingCount: number;
  /** Failed and skipped rows by error code. */
  readonly failuresByCode: Readonly<Record<string, number>>;
  readonly usage: RunUsage;
  /** What the attempts cost by the providers' prices; null where no provider has any. */
  readonly cost: RunCost | null;
  /** What reused answers had cost, by today's prices; null where no provider has any. */
  readonly savedCost: RunCost | null;
  readonly durationMs: number;
}

/** What a run did, and how it ended. */
export interface RunReport extends RunFigures {
  readonly runId: string;
  /** `completed`: every row (up to `limit`) was read and has ended. `failed`: `error` ended the run. `aborted`: the caller did. */
  readonly status: "completed" | "failed" | "aborted";
  /** What ended the run, where it did not complete. */
  readonly error: LLMEtlError | null;
  /**
   * For `process.exitCode`. 0: all rows fine. 1: rows failed or were skipped, or `onRowError: "fail"` stopped at
   * one. 2: refused before the first row. 3: stopped by a run error, `maxCalls`, `maxCost` or a signal; run again to go on.
   */
  readonly exitCode: 0 | 1 | 2 | 3;
}

/** What a replay did: a run's report, and what became of the dead letter file. */
export interface ReplayReport extends RunReport {
  /** Rows that a run had written since they failed: they left the file without being replayed. */
  readonly writtenSinceCount: number;
  /** Rows that are in the file now. */
  readonly remainingCount: number;
  /** Lines that can't be replayed, and why; they stay in the file. */
  readonly notReplayable: readonly { readonly line: number; readonly reason: string }[];
  /** Where the file as it was is kept; null where nothing left it. */
  readonly keptPath: string | null;
}

/** Counts a run's events. */
export class Tally {
  #readCount = 0;
  readonly #outcomes: Record<RowOutcome, number> = { written: 0, unchanged: 0, failed: 0, skipped: 0, pending: 0 };
  readonly #failuresByCode: Record<string, number> = {};
  readonly #currency: string | null;
  #cost = 0;
  #savedCost = 0;
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

  /** `currency` is that of the providers' prices, or null. */
  constructor(currency: string | null) {
    this.#currency = currency;
  }

  get readCount(): number {
    return this.#readCount;
  }

  /** Rows that failed or were skipped. */
  get badCount(): number {
    return this.#outcomes.failed + this.#outcomes.skipped;
  }

  add(event: RunEvent): void {
    if (event.type === "row-start") this.#readCount += 1;
    if (event.type === "row-end") this.#addRow(event.outcome, event.errorCode);
    if (event.type === "re-ask") this.#usage.reAsks += 1;
    if (event.type === "call-end") {
      this.#usage.calls += 1;
      this.#usage.inputTokens += event.inputTokens;
      this.#usage.cachedTokens += event.cachedTokens;
      this.#usage.outputTokens += event.outputTokens;
      this.#cost += event.cost ?? 0;
    }
    if (event.type === "answer-reuse") {
      this.#usage.reusedAnswers += 1;
      this.#usage.savedInputTokens += event.inputTokens;
      this.#usage.savedOutputTokens += event.outputTokens;
      this.#savedCost += event.cost ?? 0;
    }
  }

  /** What has been counted so far. */
  figures(durationMs: number): RunFigures {
    const { written, unchanged, failed, skipped, pending } = this.#outcomes;
    return {
      readCount: this.#readCount,
      successCount: written + unchanged,
      failureCount: failed,
      skippedCount: skipped,
      unchangedCount: unchanged,
      pendingCount: pending,
      failuresByCode: { ...this.#failuresByCode },
      usage: { ...this.#usage },
      cost: this.#inCurrency(this.#cost),
      savedCost: this.#inCurrency(this.#savedCost),
      durationMs,
    };
  }

  /** The report of the run that ended with `error`, or without one. A run whose counts don't add up has failed. */
  report(run: { runId: string; error: LLMEtlError | null; durationMs: number }): RunReport {
    const ended = Object.values(this.#outcomes).reduce((sum, count) => sum + count);
    const error = ended === this.#readCount ? run.error : countsError(this.#readCount, ended, run.error);
    return {
      runId: run.runId,
      status: error === null ? "completed" : error.code === "ABORTED" ? "aborted" : "failed",
      error,
      exitCode: exitCode(error, this.#readCount, this.badCount),
      ...this.figures(run.durationMs),
    };
  }

  #inCurrency(amount: number): RunCost | null {
    return this.#currency === null ? null : { amount, currency: this.#currency };
  }

  #addRow(outcome: RowOutcome, errorCode: string | null): void {
    this.#outcomes[outcome] += 1;
    if (errorCode !== null) this.#failuresByCode[errorCode] = (this.#failuresByCode[errorCode] ?? 0) + 1;
  }
}

function exitCode(error: LLMEtlError | null, readCount: number, badCount: number): RunReport["exitCode"] {
  if (error === null) return badCount === 0 ? 0 : 1;
  if (error.scope === "row") return 1;
  return readCount === 0 && error.code !== "ABORTED" ? 2 : 3;
}

function countsError(readCount: number, ended: number, cause: LLMEtlError | null): RunError {
  return new RunError(
    "COUNTS_DO_NOT_ADD_UP",
    `${readCount} rows were read and ${ended} have ended: rows were lost or counted twice; please report this as a bug`,
    { cause: cause ?? undefined },
  );
}
