import type { ValidationError } from "./input-lines.ts";
import type { SimulatorBatchOptions } from "./options.ts";
import type { SimulatedBatch, SimulatorBatchStatus } from "./words.ts";
import { nowSeconds } from "./stored-files.ts";

/** The body of a create, checked. */
export interface BatchOrder {
  readonly inputFileId: string;
  readonly endpoint: string;
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** The estimated tokens of the file. */
  readonly tokens: number;
}

const day = 24 * 60 * 60;
const ended: ReadonlySet<SimulatorBatchStatus> = new Set(["completed", "failed", "expired", "cancelled"]);
const filesOfJSON = { output_file_id: "outputFileId", error_file_id: "errorFileId" } as const;

/** Holds the state of one batch, and shows it. */
export class BatchRecord {
  readonly id: string;
  readonly order: BatchOrder;
  outputFileId: string | undefined;
  errorFileId: string | undefined;
  errors: readonly ValidationError[] = [];
  lines = 0;
  completed = 0;
  failed = 0;
  #status: SimulatorBatchStatus = "validating";
  readonly #createdAt = nowSeconds();
  readonly #times = new Map<SimulatorBatchStatus, number>();

  constructor(id: string, order: BatchOrder) {
    this.id = id;
    this.order = order;
  }

  get status(): SimulatorBatchStatus {
    return this.#status;
  }

  get hasEnded(): boolean {
    return ended.has(this.#status);
  }

  become(status: SimulatorBatchStatus): void {
    this.#status = status;
    this.#times.set(status, nowSeconds());
  }

  /** The batch as `simulator.batches()` shows it. */
  read(): SimulatedBatch {
    const { id, status, outputFileId, errorFileId, lines, completed, failed } = this;
    const { metadata, inputFileId } = this.order;
    return { id, status, metadata, inputFileId, outputFileId, errorFileId, lines, completed, failed };
  }

  /** The batch as the service sends it. */
  toJSON(options: SimulatorBatchOptions): Readonly<Record<string, unknown>> {
    const { statusCase = "lower", requestCounts = true } = options;
    const { inputFileId, endpoint, completionWindow, metadata } = this.order;
    const { lines: total, completed, failed, errors } = this;
    return {
      id: this.id,
      object: "batch",
      endpoint,
      errors: errors.length === 0 ? null : { object: "list", data: errors },
      input_file_id: inputFileId,
      completion_window: completionWindow,
      status: inCase(this.#status, statusCase),
      ...this.#fileIds(options),
      created_at: this.#createdAt,
      expires_at: this.#createdAt + day,
      in_progress_at: this.#at("in_progress"),
      finalizing_at: this.#at("finalizing"),
      completed_at: this.#at("completed"),
      failed_at: this.#at("failed"),
      expired_at: this.#at("expired"),
      cancelling_at: this.#at("cancelling"),
      cancelled_at: this.#at("cancelled"),
      request_counts: requestCounts ? { total, completed, failed } : null,
      metadata,
    };
  }

  #at(status: SimulatorBatchStatus): number | null {
    return this.#times.get(status) ?? null;
  }

  #fileIds({ noFileId = "null" }: SimulatorBatchOptions): Readonly<Record<string, string | null>> {
    const none = noFileId === "empty" ? "" : null;
    const ids = Object.entries(filesOfJSON).map(([name, field]) => [name, this[field] ?? none] as const);
    return Object.fromEntries(noFileId === "missing" ? ids.filter(([, id]) => id !== null) : ids);
  }
}

function inCase(status: SimulatorBatchStatus, statusCase: "lower" | "capitals" | "upper"): string {
  if (statusCase === "lower") return status;
  return statusCase === "upper"
    ? status.toUpperCase()
    : status.replace(/(?<=^|_)[a-z]/g, (letter) => letter.toUpperCase());
}
