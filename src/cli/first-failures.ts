import type { RunEvent } from "../contracts/events.ts";

/** One row that failed or was skipped. */
export interface Failure {
  /** The row's number in the source, from 1. */
  readonly position: number;
  readonly pk: string | null;
  readonly step: string | null;
  /** The identity of the sink at which it failed, where the pipeline has several. @default it has one, or a step failed */
  readonly sink?: string | undefined;
  /** Holds no content. */
  readonly message: string;
}

/** Keeps the first row of each error code. */
export class FirstFailures {
  readonly #byCode = new Map<string, Failure>();

  get byCode(): ReadonlyMap<string, Failure> {
    return this.#byCode;
  }

  add(event: RunEvent): void {
    if (event.type !== "row-end" || event.errorCode === null || this.#byCode.has(event.errorCode)) return;
    const { position, pk, step, sink, errorMessage } = event;
    this.#byCode.set(event.errorCode, { position, pk, step, sink, message: errorMessage ?? "" });
  }
}
