import type { RunReport } from "./report.ts";

/** How a row that was read ended. `pending`: the run stopped before it was done. */
export type RowOutcome = "written" | "unchanged" | "failed" | "skipped" | "pending";

/** What happens in a run, as it happens: all that counts, progress and metrics need. Holds no content. */
export type RunEvent =
  | { readonly type: "run-start"; readonly runId: string; readonly pipeline: string; readonly startedAt: Date }
  | { readonly type: "row-start"; readonly position: number }
  | {
      readonly type: "row-end";
      readonly position: number;
      readonly pk: string | null;
      readonly outcome: RowOutcome;
      readonly errorCode: string | null;
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
      readonly type: "gate-close";
      readonly provider: string;
      /** `rate_limit`: a 429 asked for it. `outage`: call after call failed, and single ones go as probes. */
      readonly reason: "rate_limit" | "outage";
      readonly durationMs: number;
    }
  | { readonly type: "re-ask"; readonly step: string; readonly pk: string; readonly issueCount: number }
  | { readonly type: "batch-end"; readonly rowCount: number; readonly durationMs: number }
  | { readonly type: "run-end"; readonly report: RunReport };

export type EventHandler = (event: RunEvent) => void;
