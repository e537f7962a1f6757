import { setImmediate } from "node:timers/promises";
import type { DeadLetter } from "../contracts/dead-letter.ts";
import type { Journal } from "../contracts/journal.ts";
import type { RowConversation } from "../contracts/conversation.ts";
import type { Sink, SinkSession } from "../contracts/sink.ts";
import type { AnySource, Parameters, SourceRow } from "../contracts/source.ts";
import type { Step } from "../contracts/step.ts";
import { Batcher } from "./batcher.ts";
import type { BatchOutcome, EventHandler, RowOutcome } from "../contracts/events.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { SinkDataError, SinkError } from "../errors/sink.ts";
import { SourceError } from "../errors/source.ts";
import { StepFailedError } from "../errors/step.ts";
import { type LearnedLimits, learnLimits } from "./column-limits.ts";
import { abandonAfterMs, Stopping, within } from "./shutdown.ts";
import { messageOf } from "../errors/thrown.ts";
import { intake } from "./accept-row.ts";
import { SeenKeys } from "../files/key-set.ts";
import { SourceOrder } from "./source-order.ts";
import { GlobalState } from "./state.ts";
import type { Lineage } from "../contracts/state.ts";
import { type MappedRow, WrittenRows } from "./change-detector.ts";

export interface EngineOptions {
  readonly runId: string;
  readonly source: AnySource;
  readonly steps: readonly Step<never, string, unknown>[];
  readonly sink: Sink<never>;
  readonly conversation: (step: Step<never, string, unknown>, pk: string, signal: AbortSignal) => RowConversation;
  /** Undefined where it is off. */
  readonly journal: Journal | undefined;
  /** Whether rows are written again that did not change. */
  readonly fresh: boolean;
  readonly onRowError: "fail" | "skip" | "dead_letter";
  /** Undefined unless `onRowError` is `dead_letter`. */
  readonly deadLetter: DeadLetter | undefined;
  readonly concurrency: number;
  readonly batchSize: number;
  readonly flushIntervalMs: number;
  readonly gracePeriodMs: number;
  readonly limit: number;
  readonly parameters: Parameters;
  /** Aborting it stops the run; a reason that is an LLMEtlError is what the run reports. */
  readonly signal: AbortSignal;
  /** Aborting it stops the run without a grace period. */
  readonly stopNowSignal: AbortSignal | undefined;
  readonly emit: EventHandler;
}

/** What is known of a row while it is on its way. */
interface Passage {
  readonly position: number;
  readonly raw: unknown;
  pk: string | null;
  step: string | null;
  retryCount: number;
  processed: Readonly<Record<string, unknown>>;
}

type AnyState = GlobalState<object, Readonly<Record<string, unknown>>>;

interface FinishedRow extends MappedRow {
  readonly passage: Passage;
}

/**
 * Takes every row from the source to the sink. What ended the run, or null when all rows have ended.
 *
 * @throws {LLMEtlError} if the sink refuses to open: nothing was read
 */
export async function runEngine(options: EngineOptions): Promise<LLMEtlError | null> {
  return await new Engine(options).run();
}

class Engine {
  readonly #options: EngineOptions;
  readonly #seen = new SeenKeys();
  readonly #written: WrittenRows;
  readonly #stopping: Stopping;
  readonly #batcher: Batcher<FinishedRow>;
  readonly #order: SourceOrder<FinishedRow> | undefined;
  /** Rows that were read and have not ended. */
  readonly #passages = new Set<Passage>();
  #session: SinkSession | undefined;
  #limits: LearnedLimits = new Map();
  #sinkFailed = false;
  #inFlight = 0;
  #onRowEnd: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { batchSize, flushIntervalMs, concurrency, sink, gracePeriodMs } = options;
    this.#written = new WrittenRows(options);
    this.#stopping = new Stopping(gracePeriodMs);
    this.#batcher = new Batcher({ size: batchSize, intervalMs: flushIntervalMs, write: this.#write });
    if (sink.preserveOrder) {
      this.#order = new SourceOrder(Math.max(batchSize, 4 * concurrency), (row) => this.#batcher.add(row));
    }
  }

  async run(): Promise<LLMEtlError | null> {
    this.#stopping.listen(this.#options.signal, false);
    this.#stopping.listen(this.#options.stopNowSignal, true);
    try {
      this.#session = await this.#open();
      this.#stopping.begin();
      await this.#stopping.orAbandoned(this.#readAndFinish());
      if (this.#stopping.isAbandoned) await within(abandonAfterMs, this.#batcher.drain()); // what is complete
    } catch (error) {
      if (this.#stopping.error === null || this.#session !== undefined) throw error;
      // Otherwise the abort ended the opening.
    } finally {
      for (const passage of this.#passages) this.#end(passage, "pending");
      await this.#close();
      this.#stopping.end();
      this.#seen.close();
    }
    return this.#stopping.error;
  }

  async #open(): Promise<SinkSession> {
    const { sink, steps, fresh } = this.#options;
    const session = await sink.open({ signal: this.#stopping.working });
    try {
      this.#limits = learnLimits(sink, session.limits ?? {}, steps);
      await this.#written.begin(session, fresh);
    } catch (error) {
      await session.close("stopped");
      throw error;
    }
    return session;
  }

  async #readAndFinish(): Promise<void> {
    await this.#read();
    while (this.#inFlight > 0) await this.#rowEnd();
    await this.#batcher.drain();
  }

  async #close(): Promise<void> {
    try {
      const closing = this.#session?.close(this.#stopping.error === null ? "completed" : "stopped");
      await (this.#stopping.isAbandoned ? within(abandonAfterMs, closing) : closing);
    } catch (error) {
      this.#stopping.stopFor(error, (problem) => new SinkError(this.#options.sink.name, problem, { cause: error }));
    }
  }

  /** Pulls rows one at a time, each as soon as one of `concurrency` places is free. */
  async #read(): Promise<void> {
    const { source, concurrency, limit, parameters } = this.#options;
    try {
      const rows = source.read({ signal: this.#stopping.reading, parameters })[Symbol.asyncIterator]();
      for (let sequence = 0; sequence < limit; sequence += 1) {
        while (this.#inFlight >= concurrency) await this.#rowEnd();
        await this.#order?.admit(sequence);
        if (this.#stopping.error !== null) break;
        const next = await this.#stopping.orStopped(rows.next());
        if (next === undefined || next.done === true) break;
        if (typeof next.value !== "object" || next.value === null) throw new TypeError("it yielded what is no row");
        void this.#take(next.value, sequence);
        // Without it, a source and a provider that never wait would keep timers and signals from being served.
        if (sequence % 64 === 63) await setImmediate();
      }
      this.#stopping.endReading();
      await within(this.#options.gracePeriodMs + abandonAfterMs, rows.return?.());
    } catch (error) {
      this.#stopping.stopFor(error, (problem) => new SourceError(source.name, problem, { cause: error }));
    }
  }

  /** Sees one row to its end. Never rejects. */
  async #take(row: SourceRow, sequence: number): Promise<void> {
    this.#inFlight += 1;
    const { position, raw } = row;
    const passage: Passage = { position, raw, pk: null, step: null, retryCount: 0, processed: {} };
    this.#passages.add(passage);
    this.#options.emit({ type: "row-start", position });
    let finished: FinishedRow | undefined;
    try {
      const mapped = await this.#advance(row, passage);
      if (mapped.isUnchanged) this.#end(passage, "unchanged");
      else finished = { ...mapped, passage };
    } catch (error) {
      await this.#fail(error, passage);
    }
    if (this.#stopping.isAbandoned) return; // the run has ended without this row
    if (this.#order !== undefined) await this.#order.settle(sequence, finished);
    else if (finished !== undefined) await this.#batcher.add(finished);
    this.#inFlight -= 1;
    this.#onRowEnd?.();
  }

  async #advance(row: SourceRow, passage: Passage): Promise<MappedRow> {
    const { source, steps } = this.#options;
    let state = await this.#intake(row, source, passage);
    const lineage: Record<string, Lineage | null> = {};
    for (const step of steps) {
      passage.step = step.name;
      const llm = this.#options.conversation(step, state.pk, this.#stopping.working);
      try {
        const limits = this.#limits.get(step.outputKey);
        // The builder's types have matched each step to the state that it is given.
        const output = await step.run(state as never, { signal: this.#stopping.working, llm, limits });
        state = state.with(step.name, step.outputKey, output);
      } catch (error) {
        const failure = error instanceof LLMEtlError ? error : new StepFailedError(step.name, error);
        // Of a function with a bug the answers are as good as ever: once it is mended, they are not paid for again.
        const isAnswersFault = failure.scope === "row" && !(failure instanceof StepFailedError);
        if (isAnswersFault && !this.#stopping.working.aborted) await llm.forget();
        throw failure;
      } finally {
        passage.retryCount = llm.retryCount;
      }
      lineage[step.outputKey] = llm.lineage;
      passage.processed = state.processed;
    }
    passage.step = null;
    return await this.#written.map(state, lineage);
  }

  async #intake(row: SourceRow, source: AnySource, passage: Passage): Promise<AnyState> {
    if ("error" in row) throw row.error;
    const { pk, raw } = await intake(row, source, this.#seen, passage);
    return new GlobalState({ pk, raw, processed: {}, log: [], startedAt: new Date() });
  }

  /** Writes a batch; where the sink refuses it for its data, halves it until the bad rows stand alone. Never rejects. */
  readonly #write = async (batch: readonly FinishedRow[]): Promise<void> => {
    const startedAt = performance.now();
    const rowCount = batch.length;
    const ended = (outcome: BatchOutcome): void =>
      this.#options.emit({ type: "batch-end", rowCount, durationMs: performance.now() - startedAt, outcome });
    this.#options.emit({ type: "batch-start", rowCount });
    try {
      if (this.#sinkFailed) throw new RunError("SINK_FAILED", "the sink has failed before");
      await this.#session?.write(batch.map(({ values }) => values));
    } catch (error) {
      ended(error instanceof SinkDataError ? "refused" : "failed");
      const [first] = batch;
      if (error instanceof SinkDataError && batch.length > 1) {
        const middle = Math.ceil(batch.length / 2);
        await this.#write(batch.slice(0, middle));
        await this.#write(batch.slice(middle));
      } else if (error instanceof SinkDataError && first !== undefined) {
        await this.#fail(error, first.passage);
      } else {
        this.#sinkFailed = true;
        this.#stopping.stopFor(error, (problem) => new SinkError(this.#options.sink.name, problem, { cause: error }));
        for (const { passage } of batch) this.#end(passage, "pending");
      }
      return;
    }
    try {
      await this.#written.keep(batch.map(({ record }) => record));
    } catch (error) {
      this.#stopping.stop(error); // the rows are in the target; the next run writes them there once more
    }
    for (const { passage } of batch) this.#end(passage, "written");
    ended("written");
  };

  /** Accounts for a row that did not get through. Never rejects. */
  async #fail(cause: unknown, passage: Passage): Promise<void> {
    const { onRowError, deadLetter, steps, runId } = this.#options;
    const error = cause instanceof LLMEtlError ? cause : new RunError("INTERNAL_ERROR", messageOf(cause), { cause });
    if (this.#stopping.working.aborted || error.scope === "run") {
      this.#stopping.stop(error);
      return this.#end(passage, "pending");
    }
    if (onRowError === "fail") this.#stopping.stop(error);
    const partialState = Object.fromEntries(
      steps.map(({ outputKey }) => [outputKey, passage.processed[outputKey] ?? null]),
    );
    try {
      await deadLetter?.add({ ...passage, error, partialState });
      const isKeysOwner = error.code !== "PRIMARY_KEY_DUPLICATE"; // what the journal knows of the key is the other row's
      if (passage.pk !== null && isKeysOwner)
        await this.#written.keepBad({ pk: passage.pk, errorCode: error.code, runId });
    } catch (failure) {
      this.#stopping.stopFor(failure, (problem) => new RunError("DEAD_LETTER_FAILED", problem, { cause: failure }));
      return this.#end(passage, "pending");
    }
    this.#end(passage, onRowError === "skip" ? "skipped" : "failed", error);
  }

  /** Says how a row ended: once, also where a row that was given up ends after all. */
  #end(passage: Passage, outcome: RowOutcome, error: LLMEtlError | null = null): void {
    if (!this.#passages.delete(passage)) return;
    const { position, pk } = passage;
    const failure = { errorCode: error?.code ?? null, errorMessage: error?.message ?? null };
    this.#options.emit({ type: "row-end", position, pk, outcome, ...failure, step: error && passage.step });
  }

  async #rowEnd(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onRowEnd = resolve;
    });
  }
}
