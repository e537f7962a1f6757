import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import type { EventHandler, RowOutcome } from "../contracts/events.ts";
import type { BadRow } from "../contracts/journal.ts";
import type { Destination } from "../contracts/sink.ts";
import type { SourceRow } from "../contracts/source.ts";
import { type LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { asLLMEtlError } from "../errors/thrown.ts";
import type { FirstFailures } from "./first-failures.ts";
import type { Shutdown } from "./shutdown.ts";
import { TransientMap } from "./transient-map.ts";

/** A row on its way, and how far it is. */
export interface RowInFlight {
  readonly position: number;
  readonly raw: unknown;
  pk: string | null;
  /** The step that it is at; null before the first and after the last. */
  step: string | null;
  /** The place of the sink that it has come to, from 0; null before. */
  sinkPlace: number | null;
  retryCount: number;
  processed: Readonly<Record<string, unknown>>;
  /** True once it is known that an earlier run has written it. */
  wasWritten: boolean;
  /** The fingerprints of the answers that it is based on so far. */
  usedAnswers: readonly string[];
}

const nothing: RowInFlight["processed"] = Object.freeze({});
const none: readonly never[] = [];

/** Called with each row as it ends, before the event. */
export type RowEndHandler = (row: RowInFlight, outcome: RowOutcome, error: LLMEtlError | null) => void;

export interface RowsInFlightOptions {
  readonly runId: string;
  readonly outputKeys: readonly string[];
  readonly onRowError: "fail" | "skip" | "dead_letter";
  readonly deadLetter: DeadLetterSession | undefined;
  /** In order. */
  readonly destinations: readonly Destination[];
  /** Keeps the failure of a row, with the answers that it used, at the sink with this place. */
  readonly saveFailed: (row: BadRow, usedAnswers: readonly string[], sinkPlace: number) => Promise<void>;
  readonly shutdown: Shutdown;
  readonly emit: EventHandler;
  /** Undefined where any number of rows may fail. */
  readonly firstFailures: FirstFailures | undefined;
  /** @default nobody wants to know */
  readonly onRowEnd?: RowEndHandler | undefined;
}

/** The rows that were read and have not ended. Each ends once, as exactly one outcome. */
export class RowsInFlight {
  readonly #options: RowsInFlightOptions;
  /** Each with its error, where it is yet to be confirmed that it is the row's own. */
  readonly #rows = new TransientMap<RowInFlight, LLMEtlError | undefined>();
  readonly #failing = new Set<Promise<void>>();
  #later: LLMEtlError | undefined;

  constructor(options: RowsInFlightOptions) {
    this.#options = options;
  }

  /** The error of the first row that is for a later run; undefined where none is. */
  get later(): LLMEtlError | undefined {
    return this.#later;
  }

  begin({ position, raw }: SourceRow): RowInFlight {
    const row: RowInFlight = {
      position,
      raw,
      pk: null,
      step: null,
      sinkPlace: null,
      retryCount: 0,
      processed: nothing,
      wasWritten: false,
      usedAnswers: none,
    };
    this.#rows.set(row, undefined);
    this.#options.emit({ type: "row-start", position });
    return row;
  }

  /** Ends a row: once, also where a row that was given up ends after all. */
  end(row: RowInFlight, outcome: RowOutcome, error: LLMEtlError | null = null): void {
    if (!this.#rows.delete(row)) return;
    const { position, pk, step, wasWritten } = row;
    if (outcome === "written" || outcome === "unchanged") this.#options.firstFailures?.succeeded();
    this.#options.onRowEnd?.(row, outcome, error);
    const failure = { errorCode: error?.code ?? null, errorMessage: error?.message ?? null };
    const sink = error === null ? undefined : this.#sinkOf(row);
    const place = { step: error && step, ...(sink !== undefined && { sink }), ...(wasWritten && { wasWritten }) };
    this.#options.emit({ type: "row-end", position, pk, outcome, ...failure, ...place });
  }

  /** Ends every row that is left as pending: the next run does them. */
  endAll(): void {
    for (const [row] of this.#rows.entries()) this.end(row, "pending");
  }

  /**
   * Ends a row that did not get through, by `onRowError`, as soon as its own fault is confirmed; for a run error, stops the run.
   * Never rejects.
   */
  async fail(cause: unknown, row: RowInFlight): Promise<void> {
    const { onRowError, shutdown } = this.#options;
    const error = asLLMEtlError(cause);
    if (shutdown.working.aborted || error.scope === "run") {
      shutdown.stop(error);
      return this.end(row, "pending");
    }
    if (error.scope === "later") {
      this.#later ??= error;
      return this.end(row, "pending");
    }
    const { confirmation } = error;
    if (onRowError !== "fail" && confirmation !== undefined) {
      if (this.#rows.has(row)) this.#rows.set(row, error);
      void confirmation.then(() => this.#confirm(row));
      return;
    }
    await this.#record(error, row);
  }

  /** Resolves when nothing that was found of rows that ended is still to be judged. */
  async settled(): Promise<void> {
    await this.#options.firstFailures?.settled();
  }

  /** No other row comes that could be compared with those that wait for it: they fail. Not where the run has stopped: they are pending. */
  async confirmAll(): Promise<void> {
    if (this.#options.shutdown.error === null) for (const [row] of this.#rows.entries()) this.#confirm(row);
    await Promise.all(this.#failing);
  }

  #confirm(row: RowInFlight): void {
    const error = this.#rows.get(row);
    if (error === undefined) return;
    this.#rows.set(row, undefined);
    const failing = this.#record(error, row).then(() => void this.#failing.delete(failing));
    this.#failing.add(failing);
  }

  async #record(error: LLMEtlError, row: RowInFlight): Promise<void> {
    const { onRowError, deadLetter, outputKeys, shutdown, firstFailures } = this.#options;
    if (onRowError === "fail") shutdown.stop(error);
    const partialState = Object.fromEntries(outputKeys.map((key) => [key, row.processed[key] ?? null]));
    let isCounted = false;
    try {
      isCounted = (await firstFailures?.isCounted(row.pk)) ?? false;
      const { position, pk, step, raw, retryCount } = row;
      const failed = { position, pk, step, raw, retryCount, partialState, error };
      await deadLetter?.add({ ...failed, sink: this.#sinkOf(row) });
      await this.#saveFailed(error, row);
    } catch (failure) {
      shutdown.stopFor(
        failure,
        (problem, more) => new RunError("DEAD_LETTER_FAILED", `the dead letters: ${problem}`, more),
      );
      return this.end(row, "pending");
    }
    this.end(row, onRowError === "skip" ? "skipped" : "failed", error);
    if (isCounted) firstFailures?.add();
  }

  async #saveFailed({ code, message }: LLMEtlError, row: RowInFlight): Promise<void> {
    const { saveFailed, runId } = this.#options;
    const { position, pk, step, retryCount, usedAnswers, sinkPlace } = row;
    const ownsKey = code !== "PRIMARY_KEY_DUPLICATE"; // what the journal knows of the key is the other row's
    const failure = { errorCode: code, errorMessage: message, failedAt: new Date() };
    const bad = { position, pk, ownsKey, step, retryCount, runId, ...failure };
    await saveFailed(bad, usedAnswers, sinkPlace ?? 0);
  }

  /** The sink at which a row failed; undefined where there is one only, and where it did not come so far. */
  #sinkOf({ sinkPlace }: RowInFlight): string | undefined {
    const { sink, label } = this.#options.destinations[sinkPlace ?? -1] ?? {};
    return label === undefined ? undefined : sink?.identity;
  }
}
