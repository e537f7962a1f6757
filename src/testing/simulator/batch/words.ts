/** The operations of the Files and Batch APIs. */
export const batchOperations = ["upload", "file", "download", "delete", "create", "list", "poll", "cancel"] as const;
/** `file` reads what is known of a file, `poll` what is known of a batch. */
export type SimulatorBatchOperation = (typeof batchOperations)[number];

/** The faults of lines, in the order in which their shares are laid on the scale from 0 to 1. */
export const lineFaultNames = ["failedLines", "missingLines", "doubledLines", "unknownLines"] as const;
export type SimulatorLineFaultName = (typeof lineFaultNames)[number];

/** The states of a batch, in lower case. */
export type SimulatorBatchStatus =
  | "validating"
  | "in_progress"
  | "finalizing"
  | "completed"
  | "failed"
  | "expired"
  | "cancelling"
  | "cancelled";

/** The states that take time. */
export type SimulatorBatchStep = "validating" | "in_progress" | "finalizing" | "cancelling";

/** An operation that was carried out, before its answer is sent. */
export interface SimulatorBatchEvent {
  readonly operation: SimulatorBatchOperation;
  /** The number of the request among those of the Files and Batch APIs, from 1. */
  readonly number: number;
  /** The id of the file or the batch; undefined for a list. */
  readonly id: string | undefined;
  /** The metadata of the batch; null for a file, for a list, and for a batch without. */
  readonly metadata: Readonly<Record<string, string>> | null;
}

/** A request of the Files and Batch APIs, for a `batch.fault` function. */
export interface SimulatorBatchRequest {
  readonly operation: SimulatorBatchOperation;
  /** The number of the request among those of the Files and Batch APIs, from 1. */
  readonly number: number;
  /** The id of the file or the batch in the path. */
  readonly id: string | undefined;
  /** The number of earlier requests for this operation with this id. */
  readonly timesSeen: number;
}

/** A batch, as the simulator knows it. */
export interface SimulatedBatch {
  readonly id: string;
  readonly status: SimulatorBatchStatus;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly inputFileId: string;
  /** Undefined until there is one. */
  readonly outputFileId: string | undefined;
  /** Undefined until there is one. */
  readonly errorFileId: string | undefined;
  /** The number of its lines; 0 until they are validated. */
  readonly lines: number;
  /** Lines that were answered with 200. Those that are lost on the way to the output file (`missingLines`) are among them. */
  readonly completed: number;
  readonly failed: number;
}

/** A file, as the simulator knows it. */
export interface SimulatedFile {
  readonly id: string;
  readonly purpose: "batch" | "batch_output";
  readonly bytes: number;
  /** The number of requests for its content that were answered, torn answers included. */
  readonly downloads: number;
  readonly isDeleted: boolean;
}

/** The lines with one `custom_id`, in all batches. */
export interface SimulatedLine {
  /** Lines of batches whose validation they passed. */
  readonly submitted: number;
  readonly workedOn: number;
  readonly billed: number;
}

/** The files and the batches of a simulator since its start or its last reset. */
export interface SimulatorBatches {
  /** Requests by operation, with any outcome. */
  readonly requests: Readonly<Partial<Record<SimulatorBatchOperation, number>>>;
  /** Requests by HTTP status; `none` counts those without. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Faults of those requests, by name. */
  readonly byFault: Readonly<Record<string, number>>;
  /** In the order of their creation. */
  readonly files: readonly SimulatedFile[];
  /** In the order of their creation. */
  readonly batches: readonly SimulatedBatch[];
  /** The lines of all batches, by `custom_id`. */
  readonly lines: Readonly<Record<string, SimulatedLine>>;
}
