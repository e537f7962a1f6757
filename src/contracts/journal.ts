import type { LLMResponse } from "./provider.ts";
import type { RunCost, RunFigures, RunKind, RunReport } from "./report.ts";
import type { Requirements } from "./requirements.ts";
import type { Lineage } from "./state.ts";

/** An answer as it came, with what it cost; also one that was cut off, for a longer one was then asked for. */
export interface StoredAnswer extends Pick<LLMResponse, "text" | "model" | "usage"> {
  readonly finishReason: "stop" | "length";
  /** The run that paid for it. */
  readonly runId: string;
}

/** The last write of a row, and the facts of that write, which columns may show. */
export interface WrittenRow {
  readonly pk: string;
  /** Tells the row from others in the target. A row that is written takes its place from any other with the same. */
  readonly targetKey: string;
  /** SHA-256 of the column values, in hexadecimal digits. */
  readonly valuesHash: string;
  readonly runId: string;
  readonly startedAt: Date;
  readonly completedAt: Date;
  readonly lineage: Readonly<Record<string, Lineage | null>>;
}

/** A row that failed or was skipped, in one run. Holds no content. */
export interface BadRow {
  /** The number of the row in its source. */
  readonly position: number;
  /** null where the key itself is wrong. */
  readonly pk: string | null;
  /** False where the key belongs to another row of the run: what is known of that row then stays. */
  readonly ownsKey: boolean;
  /** null where the row failed before its first step or at the sink. */
  readonly step: string | null;
  readonly errorCode: string;
  readonly errorMessage: string;
  /** Calls that the failing step made for this row after its first. */
  readonly retryCount: number;
  readonly runId: string;
  readonly failedAt: Date;
}

/** The last that is known of a row at a sink. */
export type KnownRow =
  | (WrittenRow & { readonly outcome: "written" })
  | (Pick<BadRow, "errorCode" | "runId"> & { readonly outcome: "failed"; readonly pk: string });

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
  /** null where no provider of the run has prices. */
  readonly cost: RunCost | null;
  /** Of the calls that were answered, to within 5 %; null where none was. */
  readonly latency: { readonly p50Ms: number; readonly p95Ms: number; readonly maxMs: number } | null;
  /** The hash of the prompt's constant part: one, where the step was not changed while it ran. At most 20. */
  readonly promptHashes: readonly string[];
  /** The models that answered, as the provider named them. At most 20. */
  readonly models: readonly string[];
}

/** A run, as it is known when it opens the journal. */
export interface RunFacts {
  readonly runId: string;
  readonly pipeline: string;
  readonly kind: RunKind;
  /** The sink's identity. */
  readonly sink: string;
  readonly startedAt: Date;
  readonly processId: number;
  readonly host: string;
  /** The version of llm-etl; null for runs of 0.1. */
  readonly version: string | null;
  /** The run's settings that are plain values, defaults included. Values for the source's statement are not in it. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
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

/** A part of a long list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** For `PageRequest.from`: the next page begins there. null after the last page. */
  readonly next: string | null;
}

export interface PageRequest {
  /** The most items of the page. */
  readonly limit: number;
  /** The `next` of the page before. @default the first page */
  readonly from?: string | undefined;
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
  /**
   * Makes sure, for `check`, that a run could open it, and leaves everything as it was. Resolves to false where there is none
   * yet. @default nothing is looked at
   */
  readonly preflight?: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  /**
   * Opens it for a run; makes it where there is none, and brings an older one up to date.
   *
   * @throws {JournalInUseError} if another run holds it
   */
  readonly open: (run: RunFacts, signal: AbortSignal) => Promise<JournalSession>;
  /** Opens it for a look, also while a run writes, and changes nothing. Undefined where there is none yet. */
  readonly reader: () => Promise<JournalReader | undefined>;
}

/** A run's use of the journal. What a function has resolved to have saved is there after any death of the process. */
export interface JournalSession {
  readonly answers: {
    /** By fingerprint, the answers that are stored. Called for many at once. */
    readonly find: (fingerprints: readonly string[]) => Promise<ReadonlyMap<string, StoredAnswer>>;
    /** Stores an answer in place of any that has its fingerprint. */
    readonly save: (fingerprint: string, answer: StoredAnswer) => Promise<void>;
    readonly forget: (fingerprints: readonly string[]) => Promise<void>;
  };
  /** Rows by the identity of their sink. */
  readonly rows: {
    /** By primary key, the rows whose last outcome was to be written. Called for many at once. */
    readonly find: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, WrittenRow>>;
    /** By primary key, the codes of the errors of the rows whose last outcome was to fail. Called for many at once. */
    readonly findFailed: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, string>>;
    readonly saveWritten: (sink: string, rows: readonly WrittenRow[]) => Promise<void>;
    /** Stores failures. The last write of a row that owns its key is forgotten: its next success is written. */
    readonly saveFailed: (sink: string, rows: readonly BadRow[]) => Promise<void>;
    readonly hasWritten: (sink: string) => Promise<boolean>;
    /** Forgets every row of the sink: the next run writes them anew. */
    readonly forgetAll: (sink: string) => Promise<void>;
  };
  readonly runs: {
    /** Adds a run, or replaces what is known of it. */
    readonly save: (run: RunRecord) => Promise<void>;
    /** True if the record of a run of the pipeline has the step, answered by a model, with this prompt hash. */
    readonly hasAnswered: (pipeline: string, step: string, promptHash: string) => Promise<boolean>;
  };
  /** Stores what was to be saved, and releases the journal. A second call does nothing. */
  readonly close: () => Promise<void>;
}

/** A look into a journal. */
export interface JournalReader {
  /** The newest first. */
  readonly runs: (request: RunFilter & PageRequest) => Promise<Page<PastRun>>;
  readonly runCount: (filter: RunFilter) => Promise<number>;
  /** The rows that failed or were skipped in a run, in that order. */
  readonly failures: (runId: string, request: PageRequest) => Promise<Page<BadRow>>;
  /** By primary key, the rows that are known at the sink. */
  readonly rows: (sink: string, pks: readonly string[]) => Promise<ReadonlyMap<string, KnownRow>>;
  /** The number of rows whose last outcome at the sink was to be written. */
  readonly writtenCount: (sink: string) => Promise<number>;
  /** The run that holds the journal, in words; undefined where none does. */
  readonly holder: () => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}
