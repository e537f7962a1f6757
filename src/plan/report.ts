import type { RunCost } from "../contracts/report.ts";

/** An estimate with its 95 % interval. Where everything was counted or asked, the three are one number. */
export interface PlannedNumber {
  readonly estimate: number;
  readonly low: number;
  /** `null` where nothing bounds it. */
  readonly high: number | null;
}

/** The rows of the source, by what a run would do with them. */
export interface PlannedRows {
  readonly read: number;
  /** They need no call: the journal has every answer, or no step asks about them. */
  readonly answered: number;
  /** They have a request that is not answered. */
  readonly toAsk: number;
  /** They fail before anything is asked: by their schema, their key, an input of a step. */
  readonly failing: number;
}

/** The requests of one step that are known without a call: counted, not estimated. Of steps behind one that is yet to be asked, they are not all. */
export interface PlannedStep {
  readonly step: string;
  /** Distinct requests that have no answer yet: each is one call, re-asks aside. */
  readonly requests: number;
  /** The rows that wait for them. */
  readonly rows: number;
  /** Answers in the journal that rows would reuse. */
  readonly reusedAnswers: number;
}

/** The requests that were asked, or that were looked at where nothing was to be asked. */
export interface PlannedSample {
  readonly requests: number;
  /** The requests that they were chosen from. */
  readonly of: number;
  readonly rows: number;
  /** Attempts, failed and repeated ones too; 0 where nothing was to be asked. */
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** null without prices. */
  readonly cost: RunCost | null;
  /** Calls whose tokens the service did not count: they were estimated. */
  readonly estimatedCalls: number;
  /** The run of the journal that has its calls; null where nothing was asked. */
  readonly runId: string | null;
}

/** A run from now on: without the calls of the sample, which are paid for, unless there is no journal. */
export interface PlannedRun {
  readonly calls: PlannedNumber;
  readonly reAsks: PlannedNumber;
  readonly inputTokens: PlannedNumber;
  /** The part of `inputTokens` that the service has cached. */
  readonly cachedTokens: PlannedNumber;
  readonly outputTokens: PlannedNumber;
  readonly failedRows: PlannedNumber;
  /** At the providers' quotas and the concurrency of the run, in milliseconds. */
  readonly durationMs: PlannedNumber;
  /** The limit that decides `durationMs`. */
  readonly durationBy: "concurrency" | "requests per minute" | "tokens per minute";
}

/** The cost of the run in one service tier; `batch` is that of a Batch API, `mixed` that of each call in the tier of its own provider, where these are several. */
export interface PlannedCost extends PlannedNumber {
  /** `standard`: that of a call without a tier. */
  readonly tier: string;
  /** True for the tier that the pipeline's providers ask for. */
  readonly isChosen: boolean;
}

/** Something to know before the run. */
export interface PlanNote {
  readonly code:
    | "BUDGET_BELOW_ONE_CALL"
    | "CALLS_UNANSWERED"
    | "CALL_LIMIT_REACHED"
    | "COST_LIMIT_REACHED"
    | "FEW_MEASURED"
    | "JOURNAL_OFF"
    | "NO_PRICES"
    | "PRICES_MISSING"
    | "ROWS_GONE"
    | "SAMPLE_STOPPED"
    | "SHARED_REQUESTS"
    | "STOPS_AT_FAILURE"
    | "TOKENS_ESTIMATED"
    | "TOKENS_FROM_HISTORY"
    | "TOKENS_FROM_SCHEMA";
  readonly message: string;
}

/** The plan of a run. `JSON.stringify` shows all of it; it holds no content. */
export interface PlanReport {
  /** The pipeline's name. */
  readonly pipeline: string;
  readonly rows: PlannedRows;
  /** Of the steps that ask, in their order. */
  readonly steps: readonly PlannedStep[];
  readonly sample: PlannedSample;
  /** How the tokens of requests were counted before the service counted them: the sample's usage corrects them. */
  readonly tokensBy: "tokenizer" | "characters";
  readonly run: PlannedRun;
  /** The cost of the run, tiers side by side; null without prices, and where nothing was measured. */
  readonly cost: {
    readonly currency: string;
    /** The package of list prices, with its version; null where all prices are the providers' own. */
    readonly listedIn: string | null;
    readonly tiers: readonly PlannedCost[];
  } | null;
  readonly notes: readonly PlanNote[];
}
