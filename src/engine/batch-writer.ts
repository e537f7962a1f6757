import type { BatchOutcome, EventHandler } from "../contracts/events.ts";
import type { SinkSession } from "../contracts/sink.ts";
import { type ErrorOptions, RunError } from "../errors/llm-etl-error.ts";
import { SinkDataError, SinkError } from "../errors/sink.ts";
import type { MappedRow, ChangeDetector } from "./change-detector.ts";
import type { RowInFlight, RowsInFlight } from "./rows-in-flight.ts";
import type { Shutdown } from "./shutdown.ts";

/** A row that has passed all steps, as the sink is to have it. */
export interface FinishedRow extends MappedRow {
  readonly row: RowInFlight;
}

export interface BatchWriterOptions {
  readonly sinkName: string;
  readonly session: () => SinkSession | undefined;
  readonly rows: RowsInFlight;
  readonly written: ChangeDetector;
  readonly shutdown: Shutdown;
  readonly emit: EventHandler;
}

/** Writes batches to the sink and ends their rows. */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  #hasFailed = false;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  /** Writes a batch; where the sink rejects it for its data, halves it until the bad rows stand alone. Never rejects. */
  readonly write = async (batch: readonly FinishedRow[]): Promise<void> => {
    const { emit, session, written, shutdown, rows } = this.#options;
    const startedAt = performance.now();
    const rowCount = batch.length;
    const ended = (outcome: BatchOutcome): void =>
      emit({ type: "batch-end", rowCount, durationMs: Math.round(performance.now() - startedAt), outcome });
    emit({ type: "batch-start", rowCount });
    try {
      if (this.#hasFailed) throw new RunError("SINK_FAILED", "the sink has failed before");
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
    for (const { row } of batch) rows.end(row, "written");
    ended("written");
  };

  async #writeInHalves(error: unknown, batch: readonly FinishedRow[]): Promise<void> {
    const { rows, shutdown, sinkName } = this.#options;
    if (!(error instanceof SinkDataError)) {
      this.#hasFailed = true;
      shutdown.stopFor(error, (problem, more) => new SinkError(sinkName, problem, more));
      for (const { row } of batch) rows.end(row, "pending");
      return;
    }
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) return await rows.fail(error, first.row);
    const middle = Math.ceil(batch.length / 2);
    await this.write(batch.slice(0, middle));
    await this.write(batch.slice(middle));
  }
}

function journalFailed(problem: string, options: ErrorOptions): RunError {
  return new RunError("JOURNAL_FAILED", `the journal: ${problem}`, options);
}
