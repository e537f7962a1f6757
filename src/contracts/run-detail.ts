import type { AttemptKind, RowOutcome } from "./events.ts";
import type { RunCost } from "./report.ts";

/** Calls, or answers that took their place, and what they cost. */
export interface Spent {
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** null where no price of them is known. */
  readonly cost: RunCost | null;
}

/** The uses of a step's calls. */
export interface StepSpending {
  /** By kind of attempt; together they are the step's calls. */
  readonly byKind: Readonly<Record<AttemptKind, Spent>>;
  /** The part of them that went to rows which failed or were skipped in this run. */
  readonly badRows: Spent;
  /** The former cost of answers that were not asked for again: an earlier run had paid for them, and the journal has them. */
  readonly reusedOfEarlierRuns: Spent;
  /** The same of answers that another row of this run had paid for. */
  readonly reusedOfThisRun: Spent;
}

/** The calls of one step in a run, counted. */
export interface StepFigures {
  readonly step: string;
  /** Attempts, failed and repeated ones too. */
  readonly calls: number;
  /** Answers that were not asked for. */
  readonly reusedAnswers: number;
  readonly reAsks: number;
  /** Calls that repeated one that had failed. */
  readonly retries: number;
  /** Calls that the service answered with 429. */
  readonly rateLimited: number;
  readonly inputTokens: number;
  /** The part of `inputTokens` that the service had cached. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** The part of `outputTokens` that the model spent on reasoning. */
  readonly reasoningTokens: number;
  /** null where no price of its calls is known. */
  readonly cost: RunCost | null;
  /** The uses of its calls. @default not known: runs before 0.2 did not count it */
  readonly spending?: StepSpending | undefined;
  /** Of the calls that were answered, to within 5 %; null where none was. */
  readonly latency: { readonly p50Ms: number; readonly p95Ms: number; readonly maxMs: number } | null;
  /** The hash of the prompt's constant part: one, where the step was not changed while it ran. At most 20. */
  readonly promptHashes: readonly string[];
  /** The models that answered, as the provider named them. At most 20. */
  readonly models: readonly string[];
}

/** A row in one run, as it ended there. Holds no text of the row or of an answer. */
export interface RunRow {
  /** The number of the row in its source. */
  readonly position: number;
  /** null where the key itself is wrong. */
  readonly pk: string | null;
  readonly outcome: RowOutcome;
  /** The step at which it failed; null if that was before the first step or after the last, and for rows that did not fail. */
  readonly step: string | null;
  /** This and the next are null unless the row failed or was skipped. */
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  /** The cost of its calls in this run, in the run's currency; null where no price was known when it ended. */
  readonly cost: number | null;
  /**
   * The chosen categories by output key and path, as `visit_type.category`: of fields whose schema lists their values, which are names
   * that stand in the pipeline's module.
   */
  readonly categories: Readonly<Record<string, string>>;
  /** The numbers in fields that are named `confidence`, by output key and path. */
  readonly confidences: Readonly<Record<string, number>>;
}

/** Which rows of a run are meant; all that is given must hold. */
export interface RunRowFilter {
  readonly outcome?: RowOutcome | undefined;
  readonly step?: string | undefined;
  readonly errorCode?: string | undefined;
  /** The name of a category, in any of the row's fields. */
  readonly category?: string | undefined;
  readonly pk?: string | undefined;
}

/** One attempt at an answer for a row, failed or not. Holds no content. */
export interface RunAttempt {
  readonly pk: string;
  readonly step: string;
  readonly kind: AttemptKind;
  readonly startedAt: Date;
  /** The time from when the row wanted the answer, or from the end of its attempt before, to the start of this one, in milliseconds. */
  readonly waitMs: number;
  readonly latencyMs: number;
  /** The rules that the answer before broke, where this is a re-ask: `choice`, `range`, … */
  readonly issueCodes: readonly string[];
  /** null where an answer came. */
  readonly errorCode: string | null;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** In the run's currency; null where its price is not known. */
  readonly cost: number | null;
}

/** Ten seconds of a run. Those in which nothing happened are left out. */
export interface TimeSlice {
  /** A multiple of ten seconds since 1970. */
  readonly startedAt: Date;
  /** The rows that ended in it. */
  readonly rows: Readonly<Record<RowOutcome, number>>;
  /** The calls that ended in it, failed ones too. */
  readonly calls: number;
  /** Those of them that the service answered with 429. */
  readonly rateLimited: number;
  /** For so long no call to some provider could start: the service's limit, its outage or its quota. In milliseconds, at most 10,000 a session. */
  readonly gateClosedMs: number;
}

/** Numbers near each other, counted. */
export interface ValueBin {
  /** The numbers, rounded to two significant digits. */
  readonly value: number;
  readonly count: number;
}

/** Numbers, counted in bins: at most 200 of them, beyond which only the extremes are exact. */
export interface ValueBins {
  readonly minimum: number;
  readonly maximum: number;
  /** In rising order. */
  readonly bins: readonly ValueBin[];
}

/**
 * The values of one output column over the rows of a run that are in the target, written or unchanged. Never a text: of texts that are no
 * category their lengths are counted.
 */
export interface ValueCounts {
  /** The step's output key and the path of the field: `visit_type.category`. */
  readonly column: string;
  /** Also values that are missing. */
  readonly nulls: number;
  readonly trues: number;
  readonly falses: number;
  /** Names that the step's schema lists. The most frequent is the first. */
  readonly categories: readonly { readonly name: string; readonly count: number }[];
  /** null where there is none. */
  readonly numbers: ValueBins | null;
  /** In UTF-16 units; null where there is none. */
  readonly textLengths: ValueBins | null;
  /** The numbers of items of lists; null where there is none. */
  readonly listLengths: ValueBins | null;
}
