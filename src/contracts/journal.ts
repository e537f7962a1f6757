import type { RunFigures, RunReport } from "./report.ts";

import type { Lineage } from "./state.ts";
import type { LLMResponse } from "./provider.ts";

/** An answer as it came, with what it cost; also one that was cut off, for a longer one was then asked for. */
export interface StoredAnswer extends Pick<LLMResponse, "text" | "model" | "usage"> {
  readonly finishReason: "stop" | "length";
  /** The run that paid for it. */
  readonly runId: string;
}

/** What was last written of a row, and the facts of that write, which columns may show. */
export interface WrittenRow {
  readonly pk: string;
  /** What tells the row from others in the target. A row that is written takes its place from any other with the same. */
  readonly targetKey: string;
  /** SHA-256 of the column values, in hexadecimal digits. */
  readonly valuesHash: string;
  readonly runId: string;
  readonly startedAt: Date;
  readonly completedAt: Date;
  readonly lineage: Readonly<Record<string, Lineage | null>>;
}

/** A row that failed or was skipped. What was written of it before is forgotten: its next success is written. */
export interface BadRow {
  readonly pk: string;
  readonly errorCode: string;
  readonly runId: string;
}

/**
 * What a pipeline knows of its earlier runs. What was kept is there after any crash of the process; whatever is kept
 * resolves once that holds. Every function rejects with a `JournalError` where the journal can't be read or written.
 */
export interface Journal {
  /** The answer that was kept under a request's fingerprint. */
  readonly answer: (fingerprint: string) => Promise<StoredAnswer | undefined>;
  readonly keepAnswer: (fingerprint: string, answer: StoredAnswer) => Promise<void>;
  readonly forgetAnswers: (fingerprints: readonly string[]) => Promise<void>;
  /** What was last written of a row to the sink of that identity. */
  readonly writtenRow: (sink: string, pk: string) => Promise<WrittenRow | undefined>;
  readonly keepWrittenRows: (sink: string, rows: readonly WrittenRow[]) => Promise<void>;
  readonly keepBadRow: (sink: string, row: BadRow) => Promise<void>;
  /** Whether any row was written to the sink. */
  readonly hasWrittenRows: (sink: string) => Promise<boolean>;
  /** Forgets every row of the sink: the next run writes them anew. */
  readonly forgetRows: (sink: string) => Promise<void>;
  /** Adds a run, or replaces what is known of it. */
  readonly keepRun: (run: RunRecord) => Promise<void>;
  /** All runs, the newest first. */
  readonly runs: () => Promise<readonly RunRecord[]>;
  readonly close: () => Promise<void>;
}

/** What the journal keeps of a run. */
export interface RunRecord {
  readonly runId: string;
  readonly pipeline: string;
  /** A replay takes the rows of a dead letter file only. */
  readonly kind: "run" | "replay";
  /** Where the rows went: the sink's identity. */
  readonly sink: string;
  readonly startedAt: Date;
  /** null while it runs, and for one that was killed. */
  readonly endedAt: Date | null;
  /** `running`: it has not ended, or was killed. `refused`: before the first row. */
  readonly status: RunReport["status"] | "running" | "refused";
  /** What ended the run; its message holds no content. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly exitCode: RunReport["exitCode"] | null;
  /** Of a run that has not ended, as they stood at most a second or so before. */
  readonly figures: RunFigures;
  readonly processId: number;
  readonly host: string;
}

/** A run as the history shows it. `interrupted`: its process died before it could say how it ended. */
export interface PastRun extends Omit<RunRecord, "status"> {
  readonly status: RunRecord["status"] | "interrupted";
}
