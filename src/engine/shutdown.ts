import { setMaxListeners } from "node:events";
import { type ErrorOptions, LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { problemOf } from "../errors/thrown.ts";

/** The time that an aborted part has to end, in milliseconds, before the run ends without it. */
export const abandonAfterMs = 4000;

/**
 * Stops a run in stages: reading ends at once; rows in flight have a grace period; then they are aborted; a part that
 * does not react to its abort is abandoned.
 */
export class Shutdown {
  readonly #gracePeriodMs: number;
  readonly #reading = new AbortController();
  readonly #working = new AbortController();
  #error: LLMEtlError | null = null;
  #hasBegun = false;
  #isAbandoned = false;
  #timer: NodeJS.Timeout | undefined;
  #onStop: (() => void) | undefined;
  #onAbandon: (() => void) | undefined;

  readonly #signals: { readonly signal: AbortSignal; readonly onAbort: () => void }[] = [];

  constructor(gracePeriodMs: number) {
    this.#gracePeriodMs = gracePeriodMs;
    setMaxListeners(0, this.#working.signal); // every row in flight may listen
  }

  /** The error that ends the run; null while it goes on. */
  get error(): LLMEtlError | null {
    return this.#error;
  }

  /** Aborted when no more rows are wanted. */
  get reading(): AbortSignal {
    return this.#reading.signal;
  }

  /** Aborted when rows in flight are given up. */
  get working(): AbortSignal {
    return this.#working.signal;
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** From now on there may be rows in flight, which a stop gives the grace period. */
  begin(): void {
    this.#hasBegun = true;
  }

  /** Stops for an error that ends the run: as it is, or as `wrap` words it. */
  stopFor(error: unknown, wrap: (problem: string, options: ErrorOptions) => LLMEtlError): void {
    const isOurs = error instanceof LLMEtlError && error.scope === "run";
    const { problem, options } = problemOf(error);
    this.stop(isOurs ? error : wrap(problem, options));
  }

  /** Stops when the signal aborts; with `now`, without a grace period, also while one is under way. */
  listen(signal: AbortSignal | undefined, now: boolean): void {
    if (signal === undefined) return;
    const onAbort = (): void => {
      this.stop(signal.reason);
      if (now && !this.#working.signal.aborted) this.#giveUp();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#signals.push({ signal, onAbort });
    if (signal.aborted) onAbort();
  }

  endReading(): void {
    this.#reading.abort();
  }

  /** The first reason wins, but what ends the run wins over a row that failed. */
  stop(reason: unknown): void {
    const error =
      reason instanceof LLMEtlError ? reason : new RunError("ABORTED", "the run was aborted", { cause: reason });
    const before = this.#error;
    if (before === null || (before.scope === "row" && error.scope === "run")) this.#error = error;
    if (before !== null) return;
    this.#reading.abort(error);
    if (this.#hasBegun) this.#timer = setTimeout(() => this.#giveUp(), this.#gracePeriodMs);
    else this.#giveUp();
    this.#onStop?.();
  }

  /** The promise, or undefined as soon as the run stops: a source that hangs does not hang the run. One at a time. */
  orStopped<Value>(promise: Promise<Value>): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      this.#onStop = () => resolve(undefined);
      promise.then(resolve, reject);
      if (this.#error !== null) resolve(undefined);
    });
  }

  /** Resolves with the work, or when what is in flight is abandoned. Once. */
  async orAbandoned(work: Promise<void>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#onAbandon = resolve;
      work.then(resolve, reject);
    });
  }

  /** Clears the timer and removes the listeners. */
  end(): void {
    clearTimeout(this.#timer);
    for (const { signal, onAbort } of this.#signals) signal.removeEventListener("abort", onAbort);
  }

  #giveUp(): void {
    clearTimeout(this.#timer);
    this.#working.abort(this.#error);
    this.#timer = setTimeout(() => {
      this.#isAbandoned = true;
      this.#onAbandon?.();
    }, abandonAfterMs);
  }
}
