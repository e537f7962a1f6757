import type { RunFigures, RunKind, RunReport } from "./report.ts";
import type { Requirements } from "./requirements.ts";
import type { Evaluation, Lease, LeasedRange, Override, SubmittedWork, Watermark } from "./journal-work.ts";
import type { RunAttempt, RunRow, RunRowFilter, StepFigures, TimeSlice, ValueCounts } from "./run-detail.ts";
import type { JournalContents, JournalUpkeep } from "./journal-upkeep.ts";
import type { BadRow, KnownRow, RowChildren, RowUse, StoredAnswer, WrittenRow } from "./journal-rows.ts";
import type { JournalSpending, SpendingLook } from "./journal-spending.ts";
import type { Page, PageRequest } from "./page.ts";

export type { BadRow, KnownRow, RowChildren, RowUse, StoredAnswer, WrittenRow } from "./journal-rows.ts";
export type { Page, PageRequest } from "./page.ts";

/** A run, as it is known when it opens the journal. */
export interface RunFacts {
  readonly runId: string;
  readonly pipeline: string;
  readonly kind: RunKind;
  /** The identity of its sink, or of the first one. */
  readonly sink: string;
  /** The identities of its sinks, where it has several. @default the one */
  readonly sinks?: readonly string[] | undefined;
  readonly startedAt: Date;
  readonly processId: number;
  readonly host: string;
  /** The version of llm-etl; null for runs of 0.1. */
  readonly version: string | null;
  /** The run's settings that are plain values, defaults included. Values for the source's statement are not in it. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** `worker`: a part of the run, beside others that open the journal with the same `runId`. `run`: the whole of it. @default "run" */
  readonly role?: "run" | "worker" | undefined;
}

/** A run, as the journal stores it. */
export interface RunRecord extends RunFacts {
  /** null while it runs, and for one that was killed. */
  readonly endedAt: Date | null;
  /** `running`: it has not ended, or was killed. `refused`: aborted before the first row. */
  readonly status: RunReport["status"] | "running" | "refused";
  /** The error that ended the run; its message holds no content. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly exitCode: RunReport["exitCode"] | null;
  /** Of a run that has not ended, as they were at most a second or so before. */
  readonly figures: RunFigures;
  /** By step, in the pipeline's order, as far as they made calls or reused answers. Empty for runs of 0.1. */
  readonly steps: readonly StepFigures[];
}

/** A run as the history shows it. `interrupted`: its process died before it could say how it ended. */
export interface PastRun extends Omit<RunRecord, "status"> {
  readonly status: RunRecord["status"] | "interrupted";
}

/** Which runs are meant; all that is given must hold. */
export interface RunFilter {
  /** The name of the pipeline. */
  readonly pipeline?: string | undefined;
  /** The run started then or later. */
  readonly since?: Date | undefined;
  /** The run's id begins so. */
  readonly idPrefix?: string | undefined;
}

/**
 * A place where a pipeline keeps answers, rows and runs. A plug-in: `new Pipeline({ journal: new SQLiteJournal({ path }) })`.
 *
 * Every function of a journal, its session and its reader rejects with a `JournalError` where the journal can't be
 * opened, read or written.
 */
export interface Journal {
  /** Names the kind. */
  readonly name: string;
  /** Names the place for people, events and `llm-etl runs`: the absolute path of a file. Holds no secret. */
  readonly identity: string;
  /** Needs that `check` looks at. */
  readonly requirements?: Requirements | undefined;
  /** The files that it keeps, as absolute paths: no other file of a run may be one of them. */
  readonly files?: readonly string[] | undefined;
  /** True if several processes can work on one run: sessions with the role `worker` then share it. @default false */
  readonly takesWorkers?: boolean | undefined;
  /**
   * Makes sure, for `check`, that a run could open it, and leaves everything as it was. Resolves to false where there is none
   * yet. @default nothing is looked at
   */
  readonly preflight?: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  /** The SQL that makes its tables, or brings them up to date: `llm-etl sql create-journal` prints it, and never runs it. @default it needs none */
  readonly createStatements?: (() => string) | undefined;
  /**
   * Opens it for a run; makes it where there is none, and brings an older one up to date. Workers of one run join each other; any
   * other run of the pipeline is denied.
   *
   * @throws {JournalInUseError} if another run holds it
   * @throws {JournalError} for a worker, if it takes none: with what to use
   */
  readonly open: (run: RunFacts, signal: AbortSignal) => Promise<JournalSession>;
  /** Opens it for a look, also while a run writes, and changes nothing. Undefined where there is none yet. */
  readonly reader: () => Promise<JournalReader | undefined>;
  /**
   * Opens it for `llm-etl journal prune` and `copy`, brought up to date, while no run of any pipeline uses it: none can begin until it is closed.
   * @default these commands can't be used with it
   *
   * @throws {JournalInUseError} if a run holds it
   */
  readonly upkeep?: ((signal: AbortSignal) => Promise<JournalSession & JournalUpkeep>) | undefined;
}

/** A run's use of the journal. What a function has resolved to have saved is there after any death of the process. */
export interface JournalSession extends JournalWrites {
  /** The most rows, up to 1,000, that are looked up at once ahead of their turn, for a look-up that costs a round trip. @default none are */
  readonly lookAheadRows?: number | undefined;
  /** Requests handed to a Batch API. */
  readonly work: {
    /** Adds it, or replaces what is known of it. */
    readonly save: (work: SubmittedWork) => Promise<void>;
    /** Adds fingerprints to it. A fingerprint belongs to the work to which it was added last. */
    readonly addFingerprints: (id: string, fingerprints: readonly string[]) => Promise<void>;
    /** Takes fingerprints from it: they were collected, or given up. */
    readonly removeFingerprints: (id: string, fingerprints: readonly string[]) => Promise<void>;
    /** By fingerprint, the id of the work that it is part of. Called for many at once. */
    readonly find: (fingerprints: readonly string[]) => Promise<ReadonlyMap<string, string>>;
    readonly list: JournalReader["work"]["list"];
    readonly fingerprints: JournalReader["work"]["fingerprints"];
  };
  readonly watermarks: {
    readonly find: (pipeline: string, name: string) => Promise<Watermark | undefined>;
    /** Stores it in place of the one with its name. */
    readonly save: (watermark: Watermark) => Promise<void>;
    readonly forget: (pipeline: string, name: string) => Promise<void>;
  };
  readonly evaluations: {
    /** Adds it, or replaces the one with its id. */
    readonly save: (evaluation: Evaluation) => Promise<void>;
    readonly find: (id: string) => Promise<Evaluation | undefined>;
  };
  readonly overrides: {
    /** By input hash, the decisions on the step's outputs. Called for many at once. */
    readonly find: (
      pipeline: string,
      step: string,
      hashes: readonly string[],
    ) => Promise<ReadonlyMap<string, Override>>;
    /** Stores decisions, each in place of the one on the same input. */
    readonly save: (overrides: readonly Override[]) => Promise<void>;
    readonly forget: (pipeline: string, step: string, inputHashes: readonly string[]) => Promise<void>;
  };
  readonly leases: {
    /** Claims a range for so long; undefined while another owner holds it, and where it is done. To claim one's own again gives a new number. */
    readonly claim: (runId: string, range: string, owner: string, forMs: number) => Promise<Lease | undefined>;
    /** Holds a range for so many milliseconds from now, and stores how far it is. @throws {LeaseLostError} if it was released, or claimed with a greater number */
    readonly renew: (lease: Lease, forMs: number) => Promise<Lease>;
    /** Gives a range back, with how far it is: for others, or as done. @throws {LeaseLostError} as `renew` */
    readonly release: (lease: Lease, isDone: boolean) => Promise<void>;
    /** The same journal, in which nothing is saved once the lease is lost: such a save rejects with a LeaseLostError. */
    readonly under: (lease: Lease) => JournalWrites;
  };
  /** The money that runs with a `budget` spend. */
  readonly spending: JournalSpending;
  /** Stores what was to be saved, and releases the journal. A second call does nothing. */
  readonly close: () => Promise<void>;
}

/** The part of a session that rows on their way use. */
export interface JournalWrites {
  readonly answers: {
    /** By fingerprint, the answers that are stored. Called for many at once. */
    readonly find: (fingerprints: readonly string[]) => Promise<ReadonlyMap<string, StoredAnswer>>;
    /** Stores an answer in place of any that has its fingerprint. */
    readonly save: (fingerprint: string, answer: StoredAnswer) => Promise<void>;
    readonly forget: (fingerprints: readonly string[]) => Promise<void>;
    /** By primary key, the fingerprints of the answers that rows of the sink used last, written or not. Called for many at once. */
    readonly findUsed: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
    /** Stores the answers that rows used which are not written: in place of those that they had used before. */
    readonly saveUsed: (sink: string, uses: readonly RowUse[]) => Promise<void>;
  };
  /** Rows by the identity of their sink. */
  readonly rows: {
    /** By primary key, the rows whose last outcome was to be written. Called for many at once. */
    readonly find: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, WrittenRow>>;
    /** By primary key, the codes of the errors of the rows whose last outcome was to fail. Called for many at once. */
    readonly findFailed: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, string>>;
    /** Stores rows, with the answers that they used. */
    readonly saveWritten: (sink: string, rows: readonly WrittenRow[]) => Promise<void>;
    /** Stores failures. The last write of a row that owns its key is forgotten: its next success is written. */
    readonly saveFailed: (sink: string, rows: readonly BadRow[]) => Promise<void>;
    readonly hasWritten: (sink: string) => Promise<boolean>;
    /** Forgets every row of the sink: the next run writes them anew. The answers that they used stay known, and their children. */
    readonly forgetAll: (sink: string) => Promise<void>;
  };
  /** Rows of a target by the row of the source that they are of, where it may have several. They stay known when the row fails. */
  readonly children: {
    /** By primary key. Called for many at once. */
    readonly find: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
    /** Stores the children of rows in place of those that are known. */
    readonly save: (sink: string, rows: readonly RowChildren[]) => Promise<void>;
  };
  readonly runs: {
    /** Adds a run, or replaces what is known of it. */
    readonly save: (run: RunRecord) => Promise<void>;
    /** True if the record of a run of the pipeline has the step, answered by a model, with this prompt hash. */
    readonly hasAnswered: (pipeline: string, step: string, promptHash: string) => Promise<boolean>;
    /** Adds rows that have ended. Called with up to about a thousand at once. */
    readonly saveRows: (runId: string, rows: readonly RunRow[]) => Promise<void>;
    /** Adds attempts. Called with up to about a thousand at once. */
    readonly saveAttempts: (runId: string, attempts: readonly RunAttempt[]) => Promise<void>;
    /** Stores slices in place of those that this session has saved of the same time. A look adds up the sessions of a run. */
    readonly saveTimeline: (runId: string, slices: readonly TimeSlice[]) => Promise<void>;
    /** Stores counts in place of those that this session has saved of the same columns. A look adds up the sessions of a run. */
    readonly saveValues: (runId: string, values: readonly ValueCounts[]) => Promise<void>;
  };
}

/** A look into a journal. */
export interface JournalReader {
  readonly answers: Pick<JournalSession["answers"], "find" | "findUsed">;
  readonly rows: {
    /** By primary key, the rows that are known at the sink. */
    readonly find: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, KnownRow>>;
    /** The number of rows whose last outcome at the sink was to be written. */
    readonly writtenCount: (sink: string) => Promise<number>;
  };
  readonly children: Pick<JournalSession["children"], "find">;
  readonly runs: {
    /** The newest first. */
    readonly list: (request: RunFilter & PageRequest) => Promise<Page<PastRun>>;
    readonly count: (filter: RunFilter) => Promise<number>;
    /** The rows that failed or were skipped in a run, in that order. */
    readonly failures: (runId: string, request: PageRequest) => Promise<Page<BadRow>>;
    /** The rows of a run, in the order in which they ended. */
    readonly rows: (runId: string, request: RunRowFilter & PageRequest) => Promise<Page<RunRow>>;
    /** The attempts for a row in a run, in the order in which they were saved. */
    readonly attempts: (runId: string, pk: string, request: PageRequest) => Promise<Page<RunAttempt>>;
    /** The earliest first. */
    readonly timeline: (runId: string, request: PageRequest) => Promise<Page<TimeSlice>>;
    /** By column. */
    readonly values: (runId: string, request: PageRequest) => Promise<Page<ValueCounts>>;
  };
  readonly work: {
    /** The newest first. */
    readonly list: (request: PageRequest) => Promise<Page<SubmittedWork>>;
    /** The fingerprints that are part of it. */
    readonly fingerprints: (id: string, request: PageRequest) => Promise<Page<string>>;
  };
  readonly watermarks: { readonly list: (request: PageRequest) => Promise<Page<Watermark>> };
  readonly evaluations: {
    /** The newest first. */
    readonly list: (request: Pick<RunFilter, "pipeline"> & PageRequest) => Promise<Page<Evaluation>>;
    readonly find: (id: string) => Promise<Evaluation | undefined>;
  };
  readonly overrides: {
    readonly list: (request: Pick<RunFilter, "pipeline"> & PageRequest) => Promise<Page<Override>>;
  };
  /** The ranges of a run. */
  readonly leases: { readonly list: (runId: string, request: PageRequest) => Promise<Page<LeasedRange>> };
  readonly spending: SpendingLook;
  /** All that it holds. @default `llm-etl journal` can't be used with it */
  readonly contents?: JournalContents | undefined;
  /** The run that holds the journal, in words; undefined where none does. */
  readonly holder: () => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}
