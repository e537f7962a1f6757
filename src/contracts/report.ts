import type { LLMEtlError } from "../errors/llm-etl-error.ts";

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
