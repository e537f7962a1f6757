import type { Destination, SinkSession } from "../contracts/sink.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { SinkError } from "../errors/sink.ts";
import { Batcher } from "./batcher.ts";
import { BatchWriter } from "./batch-writer.ts";
import type { FinishedRow, PassingRow } from "./finished-row.ts";
import { type MappedRow, ChangeDetector } from "./change-detector.ts";
import { within } from "./ending.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { RowsInFlight } from "./rows-in-flight.ts";
import { abandonAfterMs, type Shutdown } from "./shutdown.ts";
import { SourceOrder } from "./source-order.ts";
import { TimedSink } from "./timed-sink.ts";

export interface SinkWriterOptions {
  readonly run: EngineOptions;
  readonly destination: Destination;
  /** Its place among the run's sinks, from 0. */
  readonly place: number;
  readonly rows: RowsInFlight;
  readonly shutdown: Shutdown;
  /** Takes a row that is written here on to the next sink. Never rejects. */
  readonly passOn: (finished: FinishedRow) => Promise<void> | undefined;
  /** Is given the place in the run of a row that was rejected here: no sink after this one gets it. */
  readonly dropped: (sequence: number) => Promise<void> | undefined;
}

/** One sink in a run: the preflight, what was written before, and the batches. */
export class SinkWriter {
  readonly written: ChangeDetector;
  readonly #options: SinkWriterOptions;
  readonly #timed: TimedSink;
  readonly #batcher: Batcher<PassingRow>;
  readonly #order: SourceOrder<PassingRow> | undefined;
  #session: SinkSession | undefined;

  constructor(options: SinkWriterOptions) {
    const { run, destination, place, rows, shutdown, passOn, dropped } = options;
    const { batchSize, flushIntervalMs, concurrency, emit } = run;
    const { sink } = destination;
    const session = (): SinkSession | undefined => this.#session;
    const written = new ChangeDetector({ ...run, ...destination });
    const { write } = new BatchWriter({ sink, session, rows, written, shutdown, emit, passOn, dropped });
    this.#options = options;
    this.#timed = new TimedSink({ ...run, sink }, shutdown.working);
    this.#batcher = new Batcher({ size: batchSize, intervalMs: flushIntervalMs, sizeOf, write });
    this.written = written;
    if (sink.preserveOrder === true) {
      const window = Math.max(batchSize, 4 * concurrency) + 2 * batchSize * place; // with the batches of the sinks before it
      this.#order = new SourceOrder(window, (row) => this.#batcher.add(row));
    }
  }

  /** Undefined before it is open. */
  get session(): SinkSession | undefined {
    return this.#session;
  }

  /** True while a finished row waits for one that was read before it. */
  get isHolding(): boolean {
    return this.#order?.isHolding ?? false;
  }

  /** @throws {LLMEtlError} if the sink does not open */
  async open(): Promise<SinkSession> {
    this.#session = await this.#timed.open();
    return this.#session;
  }

  /** @throws {TargetError} if rows were written to the target, and it is empty */
  async begin(session: SinkSession): Promise<void> {
    await this.#timed.within("open", async () => await this.written.begin(session, this.#options.run.fresh));
  }

  /** Resolves when the row with this place in the run may start; undefined where it may at once. */
  admit(sequence: number): Promise<void> | undefined {
    return this.#order?.admit(sequence);
  }

  /** Takes a row into a batch that has room. */
  async add(finished: FinishedRow, mapped: MappedRow): Promise<void> {
    const passing = { ...mapped, finished };
    if (this.#order === undefined) await this.#batcher.add(passing);
    else await this.#order.ended(finished.sequence, passing);
  }

  /** Says that no row comes for this place in the run. Undefined where that is of no matter. */
  skip(sequence: number): Promise<void> | undefined {
    return this.#order?.ended(sequence);
  }

  /** Writes all that was added. */
  async drain(): Promise<void> {
    await this.#batcher.drain();
  }

  /** Closes the sink, if it is open. Never rejects: what goes wrong stops the run. */
  async close(readCount: number, outcome: "completed" | "stopped"): Promise<void> {
    const { run, shutdown, destination } = this.#options;
    this.written.close();
    try {
      const closing = this.#session && this.#timed.close(this.#session, outcome, { readCount });
      await (shutdown.isAbandoned ? within(abandonAfterMs, closing, run.ending) : closing);
    } catch (error) {
      const wrap = (problem: string, more: ErrorOptions): SinkError =>
        new SinkError(destination.sink.name, problem, more);
      shutdown.stopFor(error, wrap);
    }
  }
}

/** A group counts by its rows, so that a batch stays small. */
function sizeOf({ group }: PassingRow): number {
  return Math.max(1, group.rows.length);
}
