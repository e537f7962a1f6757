import type { LLMResponse } from "../../contracts/provider.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { messageOf } from "../../errors/error-text.ts";
import { ProviderError } from "../provider-error.ts";
import type { RowAsk, RowCall, RowLayer } from "./row-call.ts";

/** So many rows with a request that the service rejects, and none that it accepts: the request is wrong, not the row. */
const rejectedRowsToStop = 3;

/**
 * Lets a step's calls go one at a time until one has succeeded: what is wrong with a key, a deployment or a schema is
 * found by one call, not by as many as are in flight.
 */
export class Canary {
  #proven = false;
  #busy = false;
  #stopped: LLMEtlError | undefined;
  readonly #waiting: (() => void)[] = [];
  readonly #rejectedRows = new Set<string>();

  /** Throws an error that ends the run where rows keep being rejected and none was accepted. */
  readonly layer: RowLayer = (next) => (call) =>
    this.#proven && this.#stopped === undefined ? next(call) : this.#inTurn(next, call);

  /** Nothing goes any more: all who wait are turned away, and whoever comes. */
  stop(reason: LLMEtlError): void {
    this.#stopped ??= reason;
    this.#busy = false;
    this.#wake();
  }

  async #inTurn(next: RowAsk, call: RowCall): Promise<LLMResponse> {
    while (this.#busy && !this.#proven) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    if (this.#stopped !== undefined) throw this.#stopped;
    return await (this.#proven ? next(call) : this.#goAhead(next, call));
  }

  async #goAhead(next: RowAsk, call: RowCall): Promise<LLMResponse> {
    this.#busy = true;
    try {
      const answer = await next(call);
      this.#proven = true;
      return answer;
    } catch (thrown) {
      const error = this.#judged(call.pk, thrown);
      if (error instanceof LLMEtlError && error.scope === "run") this.#stopped ??= error; // before anybody is woken
      throw error;
    } finally {
      this.#busy = false;
      this.#wake();
    }
  }

  #wake(): void {
    const all = this.#proven || this.#stopped !== undefined;
    for (const resume of this.#waiting.splice(0, all ? Infinity : 1)) resume();
  }

  #judged(pk: string, error: unknown): unknown {
    if (!(error instanceof ProviderError) || error.kind !== "request") return error;
    this.#rejectedRows.add(pk);
    if (this.#rejectedRows.size < rejectedRowsToStop) return error;
    const problem = `${rejectedRowsToStop} rows were rejected and none was accepted, so it is not the rows: ${messageOf(error)}`;
    return new ProviderError("run", "BAD_REQUEST", problem, { ...error, cause: error });
  }
}
