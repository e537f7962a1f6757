import type { RunReport } from "./report.ts";

/** How a row that was read ended. `pending`: the run stopped before it was done. */
export type RowOutcome = "written" | "unchanged" | "failed" | "skipped" | "pending";

/** `refused`: for its data; it is halved until the bad rows stand alone. `failed`: the sink did, and the run stops. */
export type BatchOutcome = "written" | "refused" | "failed";

/** What happens in a run, as it happens: all that counts, progress and metrics need. Holds no content. */
export type RunEvent =
  | {
      readonly type: "run-start";
      readonly runId: string;
      readonly pipeline: string;
      readonly kind: "run" | "replay";
      readonly startedAt: Date;
      readonly source: string;
      /** The sink's identity. */
      readonly sink: string;
      /** Their names, in order. */
      readonly steps: readonly string[];
      readonly concurrency: number;
      /** Of the providers' prices; null where none has any. */
      readonly currency: string | null;
      /** Absolute paths; null where there is no such file. */
      readonly journalPath: string | null;
      readonly payloadLogPath: string | null;
      readonly deadLetterPath: string | null;
    }
  /** How many rows there are to read, `limit` heeded: where `countRows` asked for it and the source can tell. */
  | { readonly type: "source-count"; readonly rowCount: number }
  | { readonly type: "row-start"; readonly position: number }
  | {
      readonly type: "row-end";
      readonly position: number;
      readonly pk: string | null;
      readonly outcome: RowOutcome;
      /** The next three are null but for a row that failed or was skipped. */
      readonly errorCode: string | null;
      readonly errorMessage: string | null;
      /** The step at which it failed; null also where that was before the first or after the last. */
      readonly step: string | null;
    }
  | { readonly type: "call-start"; readonly step: string; readonly pk: string }
  | {
      readonly type: "call-end";
      readonly step: string;
      readonly pk: string;
      readonly model: string | null;
      /** How many calls of this step for this row came before. */
      readonly retryCount: number;
      readonly latencyMs: number;
      readonly inputTokens: number;
      readonly cachedTokens: number;
      readonly outputTokens: number;
      /** In the currency of the provider's prices; null where it has none. */
      readonly cost: number | null;
      readonly errorCode: string | null;
    }
  | {
      /** An answer that was not asked for; the figures say what it had cost. */
      readonly type: "answer-reuse";
      readonly step: string;
      readonly pk: string;
      readonly model: string;
      readonly inputTokens: number;
      readonly cachedTokens: number;
      readonly outputTokens: number;
      readonly cost: number | null;
    }
  | {
      /** No call goes to a provider for so long, counted from now: a longer wait replaces the one before. */
      readonly type: "gate-close";
      readonly provider: string;
      /**
       * `rate_limit`: a 429 asked for it. `outage`: call after call failed, and single ones go as probes. `quota`: the next
       * call has to wait for the provider's `rpm` or `tpm`, a second or longer.
       */
      readonly reason: "rate_limit" | "outage" | "quota";
      readonly durationMs: number;
    }
  /** How many calls may be in flight to a provider from now on. */
  | { readonly type: "concurrency-change"; readonly provider: string; readonly limit: number }
  | { readonly type: "re-ask"; readonly step: string; readonly pk: string; readonly issueCount: number }
  | { readonly type: "batch-start"; readonly rowCount: number }
  | {
      readonly type: "batch-end";
      readonly rowCount: number;
      readonly durationMs: number;
      readonly outcome: BatchOutcome;
    }
  | { readonly type: "run-end"; readonly report: RunReport };

export type EventHandler = (event: RunEvent) => void;
