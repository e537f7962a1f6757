import type { LLMResponse } from "./provider.ts";
import type { Lineage } from "./state.ts";

/** An answer as it came, with what it cost; also one that was cut off, for a longer one was then asked for. */
export interface StoredAnswer extends Pick<LLMResponse, "text" | "model" | "usage"> {
  readonly finishReason: "stop" | "length";
  /** The run that paid for it. */
  readonly runId: string;
}

/** The answers that a row used in its last run, by their fingerprints and in their order. */
export interface RowUse {
  readonly pk: string;
  readonly fingerprints: readonly string[];
}

/** The rows that a row of the source has in a target where it may have several. */
export interface RowChildren {
  readonly pk: string;
  /** Each by a text that tells it from the others. */
  readonly children: readonly string[];
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
  /** Of the answers that it used in its last run, in their order; null where that is not known: 0.1 did not keep it. */
  readonly fingerprints: readonly string[] | null;
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
