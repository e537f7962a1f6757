/** Requests that were handed to a service's Batch API, or are about to be. Their fingerprints are stored beside it. */
export interface SubmittedWork {
  /** Ours: known before the service has given any. */
  readonly id: string;
  readonly pipeline: string;
  /** The provider's name. */
  readonly provider: string;
  /**
   * `prepared`: nothing was sent. `uploaded`: the service has the file. `sent`: the batch is being created, and it is not known
   * whether it was. `submitted`: the service has named it. `held`: it can't be told whether the service has it. `ended`: collected or given up.
   */
  readonly state: "prepared" | "uploaded" | "sent" | "submitted" | "held" | "ended";
  /** SHA-256 of the file, in hexadecimal digits. */
  readonly fileHash: string;
  /** The service's id of the file; null before it has one. */
  readonly fileId: string | null;
  /** The service's id of the batch; null before it has one. */
  readonly batchId: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Other facts that are needed later: plain values, no content. */
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
}

/** How far a source was read: rows that changed before it need not be read again. */
export interface Watermark {
  readonly pipeline: string;
  /** Tells it from others of the pipeline. */
  readonly name: string;
  /** The value itself, as exact text. */
  readonly value: string;
  /** A hash of all that it depends on: where that differs, it does not count. */
  readonly basis: string;
  readonly savedAt: Date;
}

/** The findings of an evaluation. */
export interface Evaluation {
  readonly id: string;
  readonly pipeline: string;
  readonly startedAt: Date;
  /** The findings, as JSON text. */
  readonly findings: string;
}

/** A decision of a person on a step's output, in place of a model's answer. */
export interface Override {
  readonly pipeline: string;
  readonly step: string;
  /** A hash of the values of the step's input map. */
  readonly inputHash: string;
  /** The output, as JSON text. */
  readonly output: string;
  /** The row for which it was decided. */
  readonly pk: string;
  readonly reviewer: string | null;
  readonly decidedAt: Date;
}

/** A worker's right to a range of a run's rows. */
export interface Lease {
  readonly runId: string;
  readonly range: string;
  readonly owner: string;
  /** Greater than that of any lease on the range before. */
  readonly number: number;
  /** From then on another may claim the range, by the journal's clock. */
  readonly expiresAt: Date;
  /** How far the range is done, in its owner's words; null before it was said. */
  readonly progress: string | null;
}

/** A range of a run, and who has it. */
export interface LeasedRange extends Omit<Lease, "owner" | "expiresAt"> {
  /** This and the next are null where nobody holds it. */
  readonly owner: string | null;
  readonly expiresAt: Date | null;
  /** True once it was released as done: nobody can claim it any more. */
  readonly isDone: boolean;
}
