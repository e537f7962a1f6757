import type { RunEvent } from "../contracts/events.ts";
import type { RunOptions } from "./options.ts";
import { RunError } from "../errors/llm-etl-error.ts";
import { isAwaitable } from "../errors/promised.ts";
import { describeThrown, thrownBy, thrownDetail } from "../errors/thrown.ts";
import { StepTally } from "./step-tally.ts";
import { Tally } from "./tally.ts";

export interface RunMonitorOptions {
  /** The names of the steps, in their order. */
  readonly steps: readonly string[];
  /** Of the providers' own prices; null where none has any. */
  readonly currency: string | null;
  /** True if a row of the source is not always one row of one target. */
  readonly countsTargetRows: boolean;
  /** After so many failed or skipped rows (below 1: such a share of the rows) the run stops; Infinity for never. */
  readonly maxRowErrors: number;
  /** The user's own handler. */
  readonly onEvent: RunOptions["onEvent"];
}

/** So many events may be on their way to the user's handler before the run waits for it. */
const mostUnsettled = 1000;

/** Few rows say nothing about a share. */
const rowsBeforeShare = 200;

/** Sees every event of a run: counts it, hands it to the user, and aborts the run where an event says that it must stop. */
export class RunMonitor {
  readonly tally: Tally;
  readonly stepTally: StepTally;
  readonly #options: RunMonitorOptions;
  readonly #halt = new AbortController();
  /** Keys of rows in flight that a call was made for. */
  readonly #asked = new Set<string>();
  readonly #observers: ((event: RunEvent) => void)[] = [];
  #hasEnded = false;
  /** Promises of the user's handler that have not resolved yet. */
  #unsettledCount = 0;
  #caughtUp: PromiseWithResolvers<void> | undefined;

  constructor(options: RunMonitorOptions) {
    this.#options = options;
    this.tally = new Tally(options.currency, options.countsTargetRows);
    this.stepTally = new StepTally(options.steps, options.currency);
  }

  /** Aborted, with a {@link RunError} as its reason, when the run must stop. */
  get signal(): AbortSignal {
    return this.#halt.signal;
  }

  /** True if a call was made for a row that has not ended. */
  readonly wasAsked = (pk: string): boolean => this.#asked.has(pk);

  /** Aborts the run. */
  readonly halt = (reason: unknown): void => {
    this.#halt.abort(reason);
  };

  /** Adds someone of ours who sees the events, before the user's handler. */
  observe(observer: (event: RunEvent) => void): void {
    this.#observers.push(observer);
  }

  readonly emit = (event: RunEvent): void => {
    if (this.#hasEnded) return; // a provider that does not heed its abort may still answer
    this.#hasEnded = event.type === "run-end";
    this.tally.add(event);
    this.stepTally.add(event);
    for (const observe of this.#observers) observe(event);
    if (event.type === "call-end") this.#asked.add(event.pk);
    if (event.type === "row-end") {
      if (event.pk !== null) this.#asked.delete(event.pk);
      this.#stopAtTooManyErrors();
    }
    this.#handOver(event);
  };

  /** Undefined while the user's handler keeps up; else a promise of it: a reader that is slow must not fill the memory. */
  readonly caughtUp = (): Promise<void> | undefined => {
    if (this.#unsettledCount < mostUnsettled) return undefined;
    this.#caughtUp ??= Promise.withResolvers();
    return this.#caughtUp.promise;
  };

  #settled(): void {
    this.#unsettledCount -= 1;
    if (this.#unsettledCount >= mostUnsettled) return;
    this.#caughtUp?.resolve();
    this.#caughtUp = undefined;
  }

  #stopAtTooManyErrors(): void {
    const { badCount, readCount } = this.tally;
    const { maxRowErrors } = this.#options;
    if (this.signal.aborted) return;
    const isShare = maxRowErrors < 1;
    if (isShare && (readCount < rowsBeforeShare || badCount <= maxRowErrors * readCount)) return;
    if (!isShare && badCount < maxRowErrors) return;
    const problem = `${badCount} of ${readCount} rows have failed, and maxRowErrors is ${maxRowErrors}`;
    const hint = "look at their causes before you run again";
    this.halt(new RunError("TOO_MANY_ROW_ERRORS", problem, { facts: { badCount, readCount, maxRowErrors, hint } }));
  }

  /** Stops the run if the user's handler throws, at once or later. */
  #handOver(event: RunEvent): void {
    const stop = (cause: unknown): void => {
      const problem = `onEvent threw ${describeThrown(cause)}, so the run was stopped`;
      const facts = { where: "onEvent", ...thrownBy(cause) };
      const detail = `onEvent threw ${thrownDetail(cause)}, so the run was stopped`;
      this.halt(new RunError("EVENT_HANDLER_FAILED", problem, { cause, detail, facts }));
    };
    try {
      const result: unknown = this.#options.onEvent?.(event);
      if (!isAwaitable(result)) return;
      this.#unsettledCount += 1;
      void Promise.resolve(result)
        .catch(stop)
        .finally(() => this.#settled());
    } catch (cause) {
      stop(cause);
    }
  }
}
