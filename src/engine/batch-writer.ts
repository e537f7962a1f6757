import type { BatchOutcome, EventHandler } from "../contracts/events.ts";
import type { Sink, SinkSession } from "../contracts/sink.ts";
import { type ErrorOptions, RunError } from "../errors/llm-etl-error.ts";
import { SinkDataError, SinkError } from "../errors/sink.ts";
import type { ChangeDetector } from "./change-detector.ts";
import type { RowsInFlight } from "./rows-in-flight.ts";
import type { Shutdown } from "./shutdown.ts";
import type { FinishedRow, PassingRow } from "./finished-row.ts";

export interface BatchWriterOptions {
  readonly sink: Pick<Sink<never>, "name" | "identity">;
  readonly session: () => SinkSession | undefined;
  readonly rows: RowsInFlight;
  readonly written: ChangeDetector;
  readonly shutdown: Shutdown;
  readonly emit: EventHandler;
  /** Takes a row that is written on: to the next sink, or to its end. */
  readonly passOn: (finished: FinishedRow) => Promise<void> | undefined;
  /** Is given the place in the run of a row that was rejected. */
  readonly dropped: (sequence: number) => Promise<void> | undefined;
}

/** Writes batches to a sink. */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  #hasFailed = false;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  /** Writes a batch; where the sink rejects it for its data, halves it until the bad rows stand alone. Never rejects. */
  readonly write = async (batch: readonly PassingRow[]): Promise<void> => {
    const { emit, session, written, shutdown, passOn, sink } = this.#options;
    const startedAt = performance.now();
    const rowCount = batch.length;
    const ended = (outcome: BatchOutcome): void =>
      emit({
        type: "batch-end",
        sink: sink.identity,
        rowCount,
        targetRowCount: batch.reduce((sum, { group }) => sum + group.rows.length, 0),
        durationMs: Math.round(performance.now() - startedAt),
        outcome,
      });
    emit({ type: "batch-start", sink: sink.identity, rowCount });
    try {
      if (this.#hasFailed) throw new RunError("SINK_FAILED", "the sink has failed before");
      await this.#beforeWrite(batch);
      await session()?.write(batch.map(({ group }) => group));
    } catch (error) {
      ended(error instanceof SinkDataError ? "refused" : "failed");
      return await this.#writeInHalves(error, batch);
    }
    try {
      await written.saveWritten(batch);
    } catch (error) {
      shutdown.stopFor(error, journalFailed); // the rows are in the target; the next run writes them there once more
    }
    ended("written");
    for (const { finished } of batch) {
      const passing = passOn(finished);
      if (passing !== undefined) await passing;
    }
  };

  async #beforeWrite(batch: readonly PassingRow[]): Promise<void> {
    const { written, shutdown } = this.#options;
    try {
      await written.beforeWrite(batch);
    } catch (error) {
      shutdown.stopFor(error, journalFailed);
      throw error;
    }
  }

  async #writeInHalves(error: unknown, batch: readonly PassingRow[]): Promise<void> {
    const { rows, shutdown, sink, dropped } = this.#options;
    if (!(error instanceof SinkDataError)) {
      this.#hasFailed = true;
      shutdown.stopFor(error, (problem, more) => new SinkError(sink.name, problem, more));
      for (const { finished } of batch) rows.end(finished.row, "pending");
      return;
    }
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) {
      const { row, sequence } = first.finished;
      await this.#takeBack(first);
      await rows.fail(error, row);
      return await dropped(sequence);
    }
    const middle = Math.ceil(batch.length / 2);
    await this.write(batch.slice(0, middle));
    await this.write(batch.slice(middle));
  }

  async #takeBack(rejected: PassingRow): Promise<void> {
    const { written, shutdown } = this.#options;
    try {
      await written.notWritten(rejected);
    } catch (error) {
      shutdown.stopFor(error, journalFailed);
    }
  }
}

function journalFailed(problem: string, options: ErrorOptions): RunError {
  return new RunError("JOURNAL_FAILED", `the journal: ${problem}`, options);
}
