import type { BadRow, KnownRow, RowUse } from "./journal-rows.ts";
import type { OpenReservation, SpentSlice } from "./journal-spending.ts";
import type { Page, PageRequest } from "./page.ts";
import type { RunAttempt } from "./run-detail.ts";

/** Answers of one run and model, counted. */
export interface AnswerCount {
  /** The run that paid for them. */
  readonly runId: string;
  readonly model: string;
  readonly count: number;
}

/** Rows of one sink and outcome, counted. */
export interface RowCount {
  /** The sink, as {@link JournalContents.sinkKey} names it. */
  readonly sinkKey: string;
  /** `known`: of the row nothing is known any more but the answers that it used. */
  readonly outcome: KnownRow["outcome"] | "known";
  readonly count: number;
}

/** A row, and what it used last. */
export interface StoredUse extends Pick<RowUse, "pk"> {
  readonly outcome: RowCount["outcome"];
  /** The run in which it ended so; empty where that is not known. */
  readonly runId: string;
  /** null where it is not known which answers it used. */
  readonly fingerprints: readonly string[] | null;
}

/** An answer, without its content. */
export interface AnswerOwner {
  readonly fingerprint: string;
  /** The run that paid for it. */
  readonly runId: string;
}

/** All that a journal holds, counted or page by page, beside what a look finds by name. */
export interface JournalContents {
  /** In bytes: of its files, or its tables and their indexes. null where that can't be told. */
  readonly size: () => Promise<number | null>;
  readonly answerCounts: () => Promise<readonly AnswerCount[]>;
  readonly rowCounts: () => Promise<readonly RowCount[]>;
  /** Each fingerprint once. Pages go on where they were, also when answers of pages before have been removed. */
  readonly answers: (request: PageRequest) => Promise<Page<AnswerOwner>>;
  /** The rows of a sink. Pages go on where they were, also when rows of pages before have been removed. */
  readonly uses: (sinkKey: string, request: PageRequest) => Promise<Page<StoredUse>>;
  /** The attempts of a run, those for one row in the order in which they were saved. */
  readonly attempts: (runId: string, request: PageRequest) => Promise<Page<RunAttempt>>;
  /** The name under which the rows of a sink are stored: a hash of its identity. */
  readonly sinkKey: (identity: string) => string;
}

/** A failed row, as it is known at a sink. */
export type FailedKnownRow = Pick<Extract<KnownRow, { readonly outcome: "failed" }>, "pk" | "runId" | "errorCode">;

/** Changes of a journal that nobody else uses, beside those that a run makes. Each call is a transaction of its own, or a few. */
export interface JournalUpkeep {
  readonly add: {
    /** Adds failures to their runs; what is known of the rows stays. */
    readonly failures: (rows: readonly BadRow[]) => Promise<void>;
    /** Stores rows of a sink as failed; no run's failures change. */
    readonly failedRows: (sink: string, rows: readonly FailedKnownRow[]) => Promise<void>;
    /** Stores what was spent, each slice in place of a smaller one of its pipeline, currency and time. */
    readonly spending: (slices: readonly SpentSlice[]) => Promise<void>;
    /** Adds reservations as they were made, without a look at any limit; one that is there stays. */
    readonly reservations: (reservations: readonly OpenReservation[]) => Promise<void>;
  };
  readonly remove: {
    readonly rows: (sinkKey: string, pks: readonly string[]) => Promise<void>;
    /** Removes a part of a run: first what is beside its record, the record last. Resolves to true when nothing of it is left. */
    readonly partOfRun: (runId: string) => Promise<boolean>;
    readonly work: (id: string) => Promise<void>;
    readonly evaluations: (ids: readonly string[]) => Promise<void>;
  };
  /**
   * Gives the space of what was removed back, as far as the journal does that itself. A process that dies meanwhile loses nothing.
   * @default the database does it by and by
   */
  readonly reclaim?: ((signal: AbortSignal) => Promise<void>) | undefined;
}
