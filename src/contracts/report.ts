import type { LLMEtlError } from "../errors/llm-etl-error.ts";
import type { ColumnValues, RowsAside } from "./sink.ts";

/** Over every attempt of the run, failed and repeated ones too. */
export interface RunUsage {
  readonly calls: number;
  readonly reAsks: number;
  readonly inputTokens: number;
  /** The part of `inputTokens` that the service had cached. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Calls whose tokens the service did not count: the sums hold estimates for them. @default none */
  readonly estimatedCalls?: number | undefined;
  /** Calls whose cost is not in the run's, for no price of theirs is known. @default none, or no price at all is known */
  readonly unpricedCalls?: number | undefined;
  /** Calls that brought no answer: each was tried again, or failed its row. @default none */
  readonly unansweredCalls?: number | undefined;
  /** Those of them that had no answer in time. @default none */
  readonly timedOutCalls?: number | undefined;
  /** Answers without a call of their own: the journal had them, or another row was asking for the same. */
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
 * A run in numbers. `readCount` = `successCount` + `failureCount` + `skippedCount` + `pendingCount`, and
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
  /** Rows of the source that hold nothing. They are passed over: no other count has them. @default none */
  readonly emptyRowCount?: number | undefined;
  /** Rows that were written to targets, where a row of the source is not one row of one target. @default the rows that were written */
  readonly writtenRowCount?: number | undefined;
  /** Failed and skipped rows by error code. */
  readonly failuresByCode: Readonly<Record<string, number>>;
  /** Values that are null in rows that were kept, for the model's were invalid, by step and field: `visit_type.confidence`. @default none */
  readonly invalidValues?: Readonly<Record<string, number>> | undefined;
  /** Rows to which a step did not apply, by step: its `when` gave false. Rows that then failed count too. @default none */
  readonly notApplied?: Readonly<Record<string, number>> | undefined;
  readonly usage: RunUsage;
  /** The cost of all attempts by the providers' own prices, or by list prices; null while none are known. */
  readonly cost: RunCost | null;
  /** The cost that reused answers had, by today's prices; null while none are known. */
  readonly savedCost: RunCost | null;
  /** The package with the list prices by which costs were counted where a provider has none of its own, and its version. @default no list was used */
  readonly priceSource?: string | undefined;
  /** Models that answered and that the price list does not have: their calls have no cost. At most 20. @default none */
  readonly unlistedModels?: readonly string[] | undefined;
  readonly durationMs: number;
}

/**
 * `replay` takes the rows of the dead letters only. `preview` takes a few rows through the steps and writes none. `plan` does so with the
 * sample that a plan asks.
 */
export type RunKind = "run" | "replay" | "preview" | "plan";

/** The rows that a run reads whose source can tell which rows changed. */
export interface ChangesRead {
  /** Names what tells the changes: the column. */
  readonly by: string;
  /** `changes`: rows that changed, those of which that is not known, and those that are due. `all`: every row. */
  readonly rows: "changes" | "all";
  /** The value in the column behind which rows count as changed, where it is a time or a number; else null. */
  readonly since: string | null;
  /** The rows that are read also where they did not change: they failed or were skipped before, or a person decided on their outputs since. */
  readonly dueCount: number;
  /** Why it reads all, in clauses; empty where it does not. */
  readonly reasons: readonly string[];
}

/** A run in numbers, and how it ended. */
export interface RunReport extends RunFigures {
  readonly runId: string;
  /** `completed`: every row (up to `limit`) was read and has ended. `failed`: `error` ended the run. `aborted`: the caller did. */
  readonly status: "completed" | "failed" | "aborted";
  /** The error that ended the run; null if it completed. */
  readonly error: LLMEtlError | null;
  /**
   * For `process.exitCode`. 0: all rows fine. 1: rows failed or were skipped, or `onRowError: "fail"` stopped at
   * one. 2: aborted before the first row. 3: stopped by a run error, `maxCalls`, `maxCost`, a budget or a signal; run again to go on.
   */
  readonly exitCode: 0 | 1 | 2 | 3;
  /** The rows that it read, where its source can tell which rows changed. @default every row */
  readonly changes?: ChangesRead | undefined;
  /** The file with the run's rows, where they did not replace what an earlier run wrote. @default they are in the target */
  readonly rowsAside?: RowsAside | undefined;
  /** Those of its other sinks, in their order. @default there are none */
  readonly otherRowsAside?: readonly RowsAside[] | undefined;
}

/** A replay: its report as a run, and the state of the dead letter file after it. `readCount` = `asInSourceCount` + `asFailedCount`. */
export interface ReplayReport extends RunReport {
  /** Rows that were replayed as the source has them now. */
  readonly asInSourceCount: number;
  /** Rows that were replayed as they were when they failed: the source can't find them by key. */
  readonly asFailedCount: number;
  /** Rows that the source no longer gives: deleted, or left out by its statement today. They were not replayed, and stay in the file. */
  readonly notInSourceCount: number;
  /** Rows that a run had written since they failed: they left the file without being replayed. */
  readonly writtenSinceCount: number;
  /** Rows that are in the file now. */
  readonly remainingCount: number;
  /** Lines that can't be replayed, and why; they stay in the file. */
  readonly notReplayable: readonly { readonly line: number; readonly reason: string }[];
  /** The path of the copy of the file as it was; null if no row left it. */
  readonly keptPath: string | null;
}

/** The rows of one sink that a row would be there. */
export interface PreviewedTarget {
  /** The sink's identity. */
  readonly sink: string;
  /** By column. */
  readonly rows: readonly ColumnValues[];
}

/** A row of a preview: finished, with its state and the values that its columns would have, or failed. */
export type PreviewedRow<State> =
  | {
      /** The number of the row in its source, from 1. */
      readonly position: number;
      readonly pk: string;
      readonly state: State;
      /** By column of the sink, the value that a run would write; of the first sink, and of the first item behind `each`. */
      readonly values: ColumnValues;
      /** All that a run would write, where that is not one row of one sink. @default `values` */
      readonly targets?: readonly PreviewedTarget[] | undefined;
      readonly failure: null;
    }
  | {
      readonly position: number;
      /** null where the key itself is wrong. */
      readonly pk: string | null;
      readonly state: null;
      readonly values: null;
      /** `step` is null where the row failed before its first step, or at the sink's own check. */
      readonly failure: { readonly step: string | null; readonly error: LLMEtlError };
    };

/** A preview: its rows in the source's order, and its report as a run. Nothing was written to the sink: `successCount` counts finished rows. */
export interface PreviewReport<State> extends RunReport {
  readonly rows: readonly PreviewedRow<State>[];
}
