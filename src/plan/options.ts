import type { RunCost } from "../contracts/report.ts";
import { isBoolean, isCount, isFunction, type OptionCheck, optional } from "../errors/options.ts";
import { runChecks, type RunOptions } from "../pipeline/options.ts";

/** Something that happens while a plan is made. */
export type PlanEvent =
  /** So many rows have been rendered and looked up so far. */
  | { readonly type: "rows-looked-up"; readonly rowCount: number }
  /** The sample is about to be asked. It stops before a call that could bring it above `atMost`. */
  | {
      readonly type: "sample-start";
      readonly requests: number;
      /** The requests that they were chosen from. */
      readonly of: number;
      readonly rows: number;
      readonly atMost: PlanLimit;
    }
  /** A row of the sample has ended. */
  | { readonly type: "sample-row"; readonly rowCount: number; readonly of: number };

/** The most that a sample may spend. */
export interface PlanLimit {
  readonly calls: number;
  /** null without prices. */
  readonly cost: RunCost | null;
}

/** The options of a plan; those that a run has too mean the same. */
export interface PlanOptions extends Pick<
  RunOptions,
  | "concurrency"
  | "full"
  | "gracePeriodMs"
  | "limit"
  | "maxCalls"
  | "maxCost"
  | "parameters"
  | "signal"
  | "stopNowSignal"
> {
  /** The number of requests that are really asked, of those that have no answer yet. As many as there are, or more, are all of them. @default 120 */
  readonly sample?: number | undefined;
  /** False to ask nothing: tokens are then estimated from earlier runs in the journal, or from the schema, in wider intervals. @default true */
  readonly calls?: boolean | undefined;
  /** Chooses the sample: the same seed gives the same, as long as the source and the journal do. @default 0 */
  readonly seed?: number | undefined;
  /** Called for what happens. What it throws ends the plan. */
  readonly onPlanEvent?: ((event: PlanEvent) => void) | undefined;
}

/** The check of each option. */
export const planChecks: { readonly [Name in keyof PlanOptions]-?: OptionCheck } = {
  concurrency: runChecks.concurrency,
  full: runChecks.full,
  gracePeriodMs: runChecks.gracePeriodMs,
  limit: runChecks.limit,
  maxCalls: runChecks.maxCalls,
  maxCost: runChecks.maxCost,
  parameters: runChecks.parameters,
  signal: runChecks.signal,
  stopNowSignal: runChecks.stopNowSignal,
  sample: optional(isCount(1)),
  calls: optional(isBoolean),
  seed: optional(isCount(0)),
  onPlanEvent: optional(isFunction),
};
