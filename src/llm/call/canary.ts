import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { messageOf } from "../../errors/thrown.ts";
import { ProviderError } from "../provider-error.ts";

/** So many rows with a request that the service refuses, and none that it accepts: the request is wrong, not the row. */
const refusedRowsToStop = 3;

/**
 * Lets a step's calls go one at a time until one has succeeded: what is wrong with a key, a deployment or a schema is
 * found by one call, not by as many as are in flight.
 */
export class Canary {
  #proven = false;
  #busy = false;
  #stopped: LLMEtlError | undefined;
  readonly #waiting: (() => void)[] = [];
  readonly #refusedRows = new Set<string>();

  /** @throws what the call throws; an error that ends the run where rows keep being refused and none was accepted */
  async run<Result>(pk: string, call: () => Promise<Result>): Promise<Result> {
    while (this.#busy && !this.#proven) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#proven) return await call();
    this.#busy = true;
    try {
      const result = await call();
      this.#proven = true;
      return result;
    } catch (error) {
      const refused = this.#refused(pk, error);
      if (refused instanceof LLMEtlError && refused.scope === "run") this.#stopped ??= refused; // before anybody is woken
      throw refused;
    } finally {
      this.#busy = false;
      this.#wake();
    }
  }

  /** Nothing goes any more: all who wait are refused, and whoever comes. */
  stop(reason: LLMEtlError): void {
    this.#stopped ??= reason;
    this.#busy = false;
    this.#wake();
  }

  #wake(): void {
    const all = this.#proven || this.#stopped !== undefined;
    for (const resume of this.#waiting.splice(0, all ? Infinity : 1)) resume();
  }

  #refused(pk: string, error: unknown): unknown {
    if (!(error instanceof ProviderError) || error.kind !== "request") return error;
    this.#refusedRows.add(pk);
    if (this.#refusedRows.size < refusedRowsToStop) return error;
    const problem = `${refusedRowsToStop} rows were refused and none was accepted, so it is not the rows: ${messageOf(error)}`;
    return new ProviderError("run", "BAD_REQUEST", problem, { ...error, cause: error });
  }
}
