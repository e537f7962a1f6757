import type { AnyStep, StepContext } from "../contracts/step.ts";
import { setImmediate } from "node:timers/promises";
import type { RowConversation } from "../contracts/conversation.ts";
import type { SourceRow } from "../contracts/source.ts";
import type { Lineage } from "../contracts/state.ts";
import { type LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { SourceError } from "../errors/source.ts";
import { KeySet } from "../files/key-set.ts";
import { acceptRow } from "./accept-row.ts";
import type { MappedRow } from "./change-detector.ts";
import { type ColumnLimits, columnLimits, limitsOfAll } from "./column-limits.ts";
import { type RowInFlight, RowsInFlight } from "./rows-in-flight.ts";
import { FirstFailures } from "./first-failures.ts";
import type { EngineOptions } from "./engine-options.ts";
import { applies, settleAnswers, stepError, withProviderFor } from "./run-step.ts";
import { within } from "./ending.ts";
import { abandonAfterMs, Shutdown } from "./shutdown.ts";
import type { FinishedRow } from "./finished-row.ts";
import { SinksOfRun } from "./sinks-of-run.ts";

/**
 * Takes every row from the source to its sinks. Resolves to the error that ended the run, or to null when all rows have ended.
 *
 * @throws {LLMEtlError} if a sink does not open: nothing was read
 */
export async function runEngine(options: EngineOptions): Promise<LLMEtlError | null> {
  return await new Engine(options).run();
}

class Engine {
  readonly #options: EngineOptions;
  readonly #seen = new KeySet();
  readonly #shutdown: Shutdown;
  readonly #rows: RowsInFlight;
  readonly #sinks: SinksOfRun;
  #limits: ColumnLimits = new Map();
  #inFlight = 0;
  #readCount = 0;
  #hasTriedMaps = false;
  #hasOpened = false;
  #onRowEnd: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const outputKeys = options.steps.map(({ step }) => step.outputKey);
    const shutdown = new Shutdown(options.gracePeriodMs);
    const flush = async (): Promise<void> => await this.#sinks.drain();
    const isHeldBack = (): boolean => this.#sinks.isHolding;
    const firstFailures =
      options.firstFailures && new FirstFailures({ ...options.firstFailures, flush, isHeldBack, shutdown });
    const saveFailed: SinksOfRun["saveFailed"] = async (...failed) => await this.#sinks.saveFailed(...failed);
    this.#shutdown = shutdown;
    this.#rows = new RowsInFlight({ ...options, outputKeys, saveFailed, shutdown, firstFailures });
    this.#sinks = new SinksOfRun(options, this.#rows, shutdown);
  }

  async run(): Promise<LLMEtlError | null> {
    this.#shutdown.listen(this.#options.signal, false);
    this.#shutdown.listen(this.#options.stopNowSignal, true);
    try {
      await this.#open();
      this.#shutdown.begin();
      await this.#shutdown.orAbandoned(this.#readAndFinish());
      if (this.#shutdown.isAbandoned) await this.#withinEnd(this.#sinks.drain()); // what is complete
    } catch (error) {
      if (this.#shutdown.error === null || this.#hasOpened) throw error;
      // Otherwise the abort ended the opening.
    } finally {
      this.#rows.endAll();
      await this.#sinks.close(this.#readCount);
      if (this.#hasOpened) this.#options.onClosed?.(this.#sinks.sessions);
      this.#shutdown.end();
      this.#seen.close();
    }
    return this.#shutdown.error ?? this.#rows.later ?? null;
  }

  async #open(): Promise<void> {
    const { destinations, steps, onOpened } = this.#options;
    await this.#sinks.open((sessions) => {
      onOpened?.(sessions);
      const own = steps.map(({ step }) => step);
      const limits = destinations.map((each, place) => columnLimits(each, sessions[place]?.limits ?? {}, own));
      this.#limits = limitsOfAll(limits);
    });
    this.#hasOpened = true;
  }

  async #readAndFinish(): Promise<void> {
    await this.#read();
    while (this.#inFlight > 0) await this.#rowEnd();
    await this.#rows.confirmAll();
    await this.#sinks.drain();
    await this.#rows.settled();
  }

  async #read(): Promise<void> {
    const { source, sparePlaces, parameters, emit } = this.#options;
    sparePlaces.onMore = () => this.#onRowEnd?.();
    try {
      const onEmptyRows = (rowCount: number): void => emit({ type: "empty-rows", rowCount });
      const rows = source.read({ signal: this.#shutdown.reading, parameters, onEmptyRows })[Symbol.asyncIterator]();
      await this.#shutdown.orStopped(this.#pull(rows));
      this.#shutdown.endReading();
      await within(this.#options.gracePeriodMs + abandonAfterMs, rows.return?.(), this.#options.ending);
    } catch (error) {
      this.#shutdown.stopFor(error, (problem, more) => new SourceError(source.name, problem, more));
    }
  }

  /**
   * Pulls rows one at a time, each as soon as one of `concurrency` places is free. Once the run stops nobody waits for it, and what it
   * still waits for is not taken. (To race each row with the stop would keep the row alive for the garbage collector's next big round.)
   */
  async #pull(rows: AsyncIterator<SourceRow>): Promise<void> {
    const { concurrency, sparePlaces, limit, caughtUp } = this.#options;
    for (let sequence = 0; sequence < limit; sequence += 1) {
      while (this.#inFlight >= concurrency + sparePlaces.count) await this.#rowEnd();
      const admitted = this.#sinks.admit(sequence);
      if (admitted !== undefined) await admitted;
      const catchingUp = caughtUp?.();
      if (catchingUp !== undefined) await catchingUp;
      if (this.#shutdown.error !== null) return;
      const next = await rows.next();
      if (this.#shutdown.error !== null || next.done === true) return;
      if (typeof next.value !== "object" || next.value === null) throw new TypeError("it yielded what is no row");
      if (!this.#hasTriedMaps) await this.#tryMaps(next.value);
      if (this.#shutdown.error !== null) return;
      void this.#take(next.value, sequence);
      // Without it, a source and a provider that never wait would keep timers and signals from being served.
      if (sequence % 64 === 63) await setImmediate();
    }
  }

  /** Stops the run instead of throwing, so that the source is told that no more rows are wanted. */
  async #tryMaps(row: SourceRow): Promise<void> {
    try {
      this.#hasTriedMaps = (await this.#options.beforeFirstRow?.(row, this.#sinks.sessions)) ?? true;
    } catch (error) {
      this.#shutdown.stopFor(error, (problem) => new RunError("INTERNAL_ERROR", problem, { cause: error }));
    }
  }

  /** Sees one row to its end. Never rejects. */
  async #take(read: SourceRow, sequence: number): Promise<void> {
    this.#inFlight += 1;
    this.#readCount += 1;
    const row = this.#rows.begin(read);
    let finished: FinishedRow | undefined;
    try {
      const mapped = await this.#advance(read, row);
      if (mapped.every(({ isUnchanged }) => isUnchanged)) this.#rows.end(row, "unchanged");
      else finished = { row, sequence, mapped };
    } catch (error) {
      await this.#rows.fail(error, row);
    }
    if (this.#shutdown.isAbandoned) return; // the run has ended without this row
    const accepted = this.#sinks.accept(sequence, finished);
    if (accepted !== undefined) await accepted;
    this.#inFlight -= 1;
    this.#onRowEnd?.();
  }

  async #advance(read: SourceRow, row: RowInFlight): Promise<readonly MappedRow[]> {
    const { source, steps, emit } = this.#options;
    const accepted = acceptRow(read, source, this.#seen, row);
    let state = accepted instanceof Promise ? await accepted : accepted; // an await for every row would cost a turn each
    const lineage: Record<string, Lineage | null> = {};
    for (const resolved of steps) {
      const { step } = resolved;
      row.step = step.name;
      if (!applies(step, state)) {
        emit({ type: "not-applied", step: step.name, pk: state.pk });
        state = state.with(step.name, step.outputKey, null);
        lineage[step.outputKey] = null;
        continue;
      }
      const llm = this.#options.conversation(withProviderFor(resolved, state), state.pk, this.#shutdown.working);
      try {
        // As in `runStep`, which would cost each row another turn.
        const output: unknown = await step.run(state as never, this.#contextOf(step, state.pk, llm));
        state = state.with(step.name, step.outputKey, output);
      } catch (thrown) {
        const error = stepError(step, thrown);
        await settleAnswers(llm, error, this.#shutdown.working);
        throw error;
      } finally {
        row.retryCount = llm.retryCount;
        row.usedAnswers = row.usedAnswers.concat(llm.usedAnswers);
      }
      lineage[step.outputKey] = llm.lineage;
      row.processed = state.processed;
    }
    row.step = null;
    const mapped: MappedRow[] = [];
    for (const { written } of this.#sinks.writers) {
      row.sinkPlace = mapped.length;
      const one = await written.map(state, lineage, row.usedAnswers);
      row.wasWritten ||= one.isUnchanged || one.before !== undefined;
      mapped.push(one);
    }
    return mapped;
  }

  #contextOf(step: AnyStep, pk: string, llm: RowConversation): StepContext {
    const onInvalidValue = (field: string): void =>
      this.#options.emit({ type: "invalid-value", step: step.name, pk, field });
    return { signal: this.#shutdown.working, llm, limits: this.#limits.get(step.outputKey), onInvalidValue };
  }

  /** Waits for work of a run that has given up. */
  async #withinEnd(work: Promise<unknown> | undefined): Promise<void> {
    await within(abandonAfterMs, work, this.#options.ending);
  }

  async #rowEnd(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onRowEnd = resolve;
    });
  }
}
