import type { Prices } from "./prices.ts";
import type { ChangesRead, RunKind, RunReport } from "./report.ts";

/** The way in which a row that was read ended. `pending`: the run stopped before the row was done. */
export type RowOutcome = "written" | "unchanged" | "failed" | "skipped" | "pending";

/** `refused`: the sink rejected the batch for its data, and the batch is halved until the bad rows are alone. `failed`: the sink failed, and the run stops. */
export type BatchOutcome = "written" | "refused" | "failed";

/**
 * The reason for an attempt. `first`: the row's first for this question. `re-ask`: the answer before was invalid. `longer`: it was cut off.
 * `retry`: the attempt before failed.
 */
export type AttemptKind = "first" | "re-ask" | "longer" | "retry";

/** An earlier run, as far as it tells what the next one has to do. */
export interface EarlierRun {
  /** Rows that were in the target when it ended. */
  readonly doneRows: number;
  /** The most rows that one of the last runs had in the target: more than `doneRows` where the last one was stopped. @default doneRows */
  readonly writtenRows?: number | undefined;
  /** Rows that failed or were skipped: the next run asks about them again. @default 0 */
  readonly failedRows?: number | undefined;
  /** True if the journal knows of each row if an earlier run has written it: then `row-end` says so of all of them. @default false */
  readonly knowsRows?: boolean | undefined;
  /** The mean cost of a row about which a model was asked, in the run's currency; null where that is not known. */
  readonly costPerRow: number | null;
  /** The mean time of such a row, in milliseconds: that of the run by the number of them. null where that is not known. */
  readonly rowMs: number | null;
}

/** Something that happened in a run: all that counts, progress and metrics need. Holds no content of rows or answers. */
export type RunEvent =
  | {
      readonly type: "run-start";
      readonly runId: string;
      readonly pipeline: string;
      readonly kind: RunKind;
      readonly startedAt: Date;
      readonly source: string;
      /** The identity of the sink, or of the first one. */
      readonly sink: string;
      /** The identities of the sinks, where there are several. @default the one */
      readonly sinks?: readonly string[] | undefined;
      /** Their names, in order. */
      readonly steps: readonly string[];
      readonly concurrency: number;
      /** Of the providers' own prices; null where none has any. */
      readonly currency: string | null;
      /** Absolute paths, or the identity of a journal or a dead letter office that is no file; null where there is none. */
      readonly journalPath: string | null;
      readonly payloadLogPath: string | null;
      readonly deadLetterPath: string | null;
    }
  /**
   * The list price of a provider's model: emitted once, before the first event with its cost. It counts where the provider has no prices of
   * its own.
   */
  | {
      readonly type: "list-price";
      readonly provider: string;
      readonly model: string;
      /** The package that has the price, and its version. */
      readonly source: string;
      /** At the moment of the event; null where the list does not have the model: its calls have no cost. */
      readonly prices: Prices | null;
    }
  /** The number of rows to read, at most `limit`: emitted if `countRows` asks for it and the source can tell. */
  | {
      readonly type: "source-count";
      readonly rowCount: number;
      /** The last run to the same sink; null where there is none, or no journal. @default null */
      readonly earlier?: EarlierRun | null | undefined;
    }
  /** The rows that the run reads, where its source can tell which rows changed: emitted once, before the first of them. */
  | ({ readonly type: "changes" } & ChangesRead)
  /** Rows that hold nothing, and that the source passed over: they are counted apart, and have no outcome. */
  | { readonly type: "empty-rows"; readonly rowCount: number }
  | { readonly type: "row-start"; readonly position: number }
  | {
      readonly type: "row-end";
      readonly position: number;
      readonly pk: string | null;
      readonly outcome: RowOutcome;
      /** This and the next two are null unless the row failed or was skipped. */
      readonly errorCode: string | null;
      readonly errorMessage: string | null;
      /** The step at which it failed; null if that was before the first step or after the last. */
      readonly step: string | null;
      /** The identity of the sink at which it failed, where there are several. @default it failed before, or there is one */
      readonly sink?: string | undefined;
      /** True for a row that an earlier run has written, as far as the journal says so. @default false */
      readonly wasWritten?: boolean | undefined;
    }
  | { readonly type: "call-start"; readonly step: string; readonly pk: string }
  | {
      readonly type: "call-end";
      readonly step: string;
      readonly pk: string;
      readonly model: string | null;
      /** Of the prompt's constant part: see `Prompt`. */
      readonly promptHash: string;
      /** The number of calls of this step for this row before this one. */
      readonly retryCount: number;
      readonly latencyMs: number;
      readonly inputTokens: number;
      readonly cachedTokens: number;
      readonly outputTokens: number;
      /** The part of `outputTokens` that the model spent on reasoning. */
      readonly reasoningTokens: number;
      /** Tokens of the input that were written to the service's cache. @default 0 */
      readonly cacheWriteTokens?: number | undefined;
      /** The service tier that answered. @default the standard one */
      readonly tier?: string | undefined;
      /** True if the service did not count the tokens: they are estimated. */
      readonly isEstimated: boolean;
      /** In the currency of its prices; null where none are known. */
      readonly cost: number | null;
      readonly errorCode: string | null;
      /** @default "first" */
      readonly kind?: AttemptKind | undefined;
      /** @default `latencyMs` before the event */
      readonly startedAt?: Date | undefined;
      /**
       * The time from when the row wanted the answer, or from the end of its attempt before, to the start of this one: for a place, a
       * limit, or the pause before a retry. In milliseconds. @default 0
       */
      readonly waitMs?: number | undefined;
      /** The rules that the answer before broke, where this is a re-ask: `choice`, `range`, … @default none */
      readonly issueCodes?: readonly string[] | undefined;
      /** False if the run was aborted before anything of the call was sent: it is not counted. @default true */
      readonly wasSent?: boolean | undefined;
    }
  | {
      /** An answer that was reused, so that no call was made. Its tokens and its cost are those of the call that paid for it. */
      readonly type: "answer-reuse";
      readonly step: string;
      readonly pk: string;
      readonly model: string;
      readonly promptHash: string;
      readonly inputTokens: number;
      readonly cachedTokens: number;
      readonly outputTokens: number;
      readonly reasoningTokens: number;
      /** Tokens of the input that were written to the service's cache. @default 0 */
      readonly cacheWriteTokens?: number | undefined;
      /** The service tier that answered. @default the standard one */
      readonly tier?: string | undefined;
      readonly cost: number | null;
      /** True if a row of this run paid for it. @default an earlier run did */
      readonly isOfThisRun?: boolean | undefined;
    }
  | {
      /** No call starts for `durationMs` from now: a longer wait replaces the one before. */
      readonly type: "gate-close";
      readonly provider: string;
      /**
       * `rate_limit`: most calls get a 429. `outage`: call after call failed, and single ones go as probes. `quota`: the next
       * call has to wait for the provider's `rpm` or `tpm`, a second or longer. `capacity`: the service tier has no room, and single calls go
       * as probes.
       */
      readonly reason: "rate_limit" | "outage" | "quota" | "capacity";
      readonly durationMs: number;
    }
  /** The number of calls that may be in flight to a provider from now on. */
  | { readonly type: "concurrency-change"; readonly provider: string; readonly limit: number }
  | { readonly type: "re-ask"; readonly step: string; readonly pk: string; readonly issueCount: number }
  /** A field of a step's output is null: the model's value is invalid, and the row is kept without it. */
  | { readonly type: "invalid-value"; readonly step: string; readonly pk: string; readonly field: string }
  /** The step does not apply to the row, by its `when`: no call was made, and its output is null. */
  | { readonly type: "not-applied"; readonly step: string; readonly pk: string }
  /** `sink` is the sink's identity, `rowCount` counts rows of the source. Each sink writes one batch at a time. */
  | { readonly type: "batch-start"; readonly sink: string; readonly rowCount: number }
  | {
      readonly type: "batch-end";
      readonly sink: string;
      readonly rowCount: number;
      /** Rows of the target: behind `each` they are not as many. */
      readonly targetRowCount: number;
      readonly durationMs: number;
      readonly outcome: BatchOutcome;
    }
  | { readonly type: "run-end"; readonly report: RunReport };

export type EventHandler = (event: RunEvent) => void;
