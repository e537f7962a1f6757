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
      readonly errorCode: string | null;
    }
  | { readonly type: "re-ask"; readonly step: string; readonly pk: string; readonly issueCount: number }
  | { readonly type: "batch-end"; readonly rowCount: number; readonly durationMs: number }
  | { readonly type: "run-end"; readonly report: RunReport };

export type EventHandler = (event: RunEvent) => void;
