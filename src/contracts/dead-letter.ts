import type { LLMEtlError } from "../errors/llm-etl-error.ts";

/** A row that failed, with all that is known of it. */
export interface FailedRow {
  /** null where the key itself is what is wrong. */
  readonly pk: string | null;
  /** null where the row failed before its first step or at the sink. */
  readonly step: string | null;
  readonly error: LLMEtlError;
  /** The row as the source gave it. */
  readonly raw: unknown;
  /** Per output key what the steps had added, null where they had not. */
  readonly partialState: Readonly<Record<string, unknown>>;
  /** Calls that the failing step made for this row after its first. */
  readonly retryCount: number;
}

/** Where failed rows are kept. */
export interface DeadLetter {
  /** Resolves when the row is safe. Rejects with a `DeadLetterError`: the run then stops. */
  readonly add: (row: FailedRow) => Promise<void>;
  readonly close: () => Promise<void>;
}
