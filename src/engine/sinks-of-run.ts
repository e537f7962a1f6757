import type { BadRow } from "../contracts/journal.ts";
import type { SinkSession } from "../contracts/sink.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { RowsInFlight } from "./rows-in-flight.ts";
import type { Shutdown } from "./shutdown.ts";
import type { FinishedRow } from "./finished-row.ts";
import { SinkWriter } from "./sink-writer.ts";

/** The sinks of a run, in their order: each has a row once the one before has written it. */
export class SinksOfRun {
  readonly writers: readonly SinkWriter[];
  readonly #rows: RowsInFlight;
  readonly #shutdown: Shutdown;
  readonly #keepOrder: boolean;

  constructor(run: EngineOptions, rows: RowsInFlight, shutdown: Shutdown) {
    this.#rows = rows;
    this.#shutdown = shutdown;
    this.#keepOrder = run.destinations.some(({ sink }) => sink.preserveOrder === true);
    this.writers = run.destinations.map((destination, place) => {
      const passOn = (finished: FinishedRow): Promise<void> | undefined => this.#pass(finished, place + 1);
      const dropped = (sequence: number): Promise<void> | undefined => this.#skip(sequence, place + 1);
      return new SinkWriter({ run, destination, place, rows, shutdown, passOn, dropped });
    });
  }

  /** True while a finished row waits for one that was read before it. */
  get isHolding(): boolean {
    return this.writers.some(({ isHolding }) => isHolding);
  }

  /** The sessions of those that are open. */
  get sessions(): readonly SinkSession[] {
    return this.writers.flatMap(({ session }) => session ?? []);
  }

  /**
   * Opens all, then looks at what was written before.
   *
   * @param onOpened is called between the two, before anything that the journal knows is forgotten
   * @throws {LLMEtlError} if one does not open, or as `onOpened` throws: all are closed
   */
  async open(onOpened: (sessions: readonly SinkSession[]) => void): Promise<void> {
    const sessions: SinkSession[] = [];
    try {
      for (const writer of this.writers) sessions.push(await writer.open());
      onOpened(sessions);
      for (const [place, session] of sessions.entries()) await this.writers[place]?.begin(session);
    } catch (error) {
      for (const writer of this.writers) await writer.close(0, "stopped");
      throw error;
    }
  }

  /** Resolves when the row with this place in the run may start. Undefined where it may at once. */
  admit(sequence: number): Promise<void> | undefined {
    return this.#ofThoseInOrder(0, (writer) => writer.admit(sequence));
  }

  /** Takes a row that has ended its steps: `finished`, or without anything to write. Undefined where there is nothing to wait for. */
  accept(sequence: number, finished: FinishedRow | undefined): Promise<void> | undefined {
    return finished === undefined ? this.#skip(sequence, 0) : this.#pass(finished, 0);
  }

  async drain(): Promise<void> {
    for (const writer of this.writers) await writer.drain();
  }

  /** One that can't be closed stops the run, and those after it with it. */
  async close(readCount: number): Promise<void> {
    for (const writer of this.writers) {
      const isWhole = this.#shutdown.error === null && this.#rows.later === undefined;
      await writer.close(readCount, isWhole ? "completed" : "stopped");
    }
  }

  /** Keeps the failure of a row, at the sink that it had come to. */
  async saveFailed(row: BadRow, usedAnswers: readonly string[], sinkPlace: number): Promise<void> {
    await this.writers[sinkPlace]?.written.saveFailed(row, usedAnswers);
  }

  #pass(finished: FinishedRow, place: number): Promise<void> | undefined {
    const { row, mapped } = finished;
    const writer = this.writers[place];
    const own = mapped[place];
    if (writer === undefined || own === undefined) {
      this.#rows.end(row, "written");
      return undefined;
    }
    row.sinkPlace = place;
    return own.isUnchanged ? this.#passBy(writer, finished, place) : writer.add(finished, own);
  }

  async #passBy(writer: SinkWriter, finished: FinishedRow, place: number): Promise<void> {
    await writer.skip(finished.sequence);
    await this.#pass(finished, place + 1);
  }

  #skip(sequence: number, from: number): Promise<void> | undefined {
    return this.#ofThoseInOrder(from, (writer) => writer.skip(sequence));
  }

  /** Undefined where no sink asks for the source's order: a promise would cost each row a turn. */
  #ofThoseInOrder(from: number, work: (writer: SinkWriter) => Promise<void> | undefined): Promise<void> | undefined {
    return this.#keepOrder ? forEach(this.writers.slice(from), work) : undefined;
  }
}

async function forEach(
  writers: readonly SinkWriter[],
  work: (writer: SinkWriter) => Promise<void> | undefined,
): Promise<void> {
  await Promise.all(writers.map(async (writer) => await work(writer)));
}
