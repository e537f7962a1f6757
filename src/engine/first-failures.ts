import { RunError } from "../errors/llm-etl-error.ts";
import type { Shutdown } from "./shutdown.ts";

/** So many rows that fail after they were paid for, while none gets through, tell that none will. */
const mostFailures = 20;

export interface FirstFailuresOptions {
  /** True if a call was made for the row. */
  readonly wasAsked: (pk: string) => boolean;
  /** True if the row failed in its last run. */
  readonly hasFailedBefore: (pk: string) => Promise<boolean>;
  /** Writes the rows that wait in a batch. */
  readonly flush: () => Promise<void>;
  /** True while a finished row waits for the rows before it. */
  readonly isHeldBack: () => boolean;
  readonly shutdown: Pick<Shutdown, "stop">;
}

/** Stops a run of which no row has got through, once enough have failed after a call. One row that gets through ends the watch. */
export class FirstFailures {
  readonly #options: FirstFailuresOptions;
  #count = 0;
  #hasSucceeded = false;
  #judging: Promise<void> | undefined;

  constructor(options: FirstFailuresOptions) {
    this.#options = options;
  }

  /** A row was written, or is as it was. */
  succeeded(): void {
    this.#hasSucceeded = true;
  }

  /** True if the row's failure is to be counted: it was asked about, and did not fail before. Asked before the failure is kept. */
  async isCounted(pk: string | null): Promise<boolean> {
    if (this.#hasSucceeded || pk === null || !this.#options.wasAsked(pk)) return false;
    return !(await this.#options.hasFailedBefore(pk));
  }

  /** Counts a failure. The rows that wait are written without being waited for here: the caller may be their batch. */
  add(): void {
    this.#count += 1;
    if (this.#count < mostFailures || this.#hasSucceeded) return;
    this.#judging ??= this.#judge().finally(() => {
      this.#judging = undefined;
    });
  }

  /** Resolves when no judgement is under way. */
  async settled(): Promise<void> {
    await this.#judging;
  }

  async #judge(): Promise<void> {
    const { flush, isHeldBack, shutdown } = this.#options;
    const wasHeldBack = isHeldBack(); // it may go to a batch while the others are written
    await flush();
    if (this.#hasSucceeded || wasHeldBack || isHeldBack()) return;
    const problem = `${this.#count} rows failed after the model was asked about them, and none got through since the start`;
    const hint = 'look at their causes before you run again; maxRowErrors: "never" goes on';
    shutdown.stop(
      new RunError("TOO_MANY_ROW_ERRORS", problem, { facts: { badCount: this.#count, successCount: 0, hint } }),
    );
  }
}
