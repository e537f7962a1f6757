import type { RunReport } from "../contracts/report.ts";
import type { PriceBook } from "../llm/price-book.ts";
import type { ResolvedPipeline } from "../pipeline/resolve.ts";
import type { AskedRows } from "./asked-rows.ts";
import type { Amounts } from "./call-amounts.ts";
import type { ChosenRequests } from "./chosen-requests.ts";
import type { StepHistory } from "./expectations.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { PlanLimit } from "./options.ts";
import type { TokenCounter } from "./token-count.ts";

/** All that a plan is made from. */
export interface PlanFacts {
  readonly pipeline: ResolvedPipeline;
  readonly open: OpenRequests;
  readonly chosen: ChosenRequests;
  readonly counter: TokenCounter;
  readonly seed: number;
  readonly prices: PriceBook;
  /** The most that the sample may spend. */
  readonly limit: PlanLimit;
  /** True if not even one call fits under `maxCost`. */
  readonly isBelowOneCall: boolean;
  /** The sample as it was asked, or as it is expected. */
  readonly likeliest: AskedRows;
  /** The ends of what is expected, where nothing was asked. */
  readonly expected?:
    | { readonly low: AskedRows; readonly high: AskedRows; readonly history: ReadonlyMap<string, StepHistory> }
    | undefined;
  /** All that the sample has spent, also for rows that have not ended. */
  readonly spent: Amounts;
  /** The run of the sample; undefined where nothing was asked. */
  readonly asked: RunReport | undefined;
}
