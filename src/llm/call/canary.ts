import type { LLMResponse } from "../../contracts/provider.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { ProviderError } from "../provider-error.ts";
import type { RowAsk, RowCall, RowLayer } from "./row-call.ts";

/** So many rows that failed for their own, while the run goes on: the service replies to what it is asked. */
const ownFailuresToOpen = 3;
/** A call that has to go again so often may be alone with that: another row's shows whether it is. */
const attemptsToCompare = 3;

/**
 * Lets a step's calls go one at a time until one has succeeded: what is wrong with a key, a deployment or a schema is
 * found by one call, not by as many as are in flight.
 */
export class Canary {
  #isOpen = false;
  #goingCount = 0;
  /** So many calls may go at a time. */
  #places = 1;
  #stopped: LLMEtlError | undefined;
  readonly #waiting: (() => void)[] = [];
  readonly #failedRows = new Set<string>();

  readonly layer: RowLayer = (next) => (call) =>
    this.#isOpen && this.#stopped === undefined ? next(call) : this.#inTurn(next, call);

  /** Nothing goes any more: all who wait are turned away, and whoever comes. */
  stop(reason: LLMEtlError): void {
    this.#stopped ??= reason;
    this.#wake();
  }

  async #inTurn(next: RowAsk, call: RowCall): Promise<LLMResponse> {
    while (this.#goingCount >= this.#places && !this.#isOpen && this.#stopped === undefined) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    if (this.#stopped !== undefined) throw this.#stopped;
    return await (this.#isOpen ? next(call) : this.#goAhead(next, call));
  }

  async #goAhead(next: RowAsk, call: RowCall): Promise<LLMResponse> {
    this.#goingCount += 1;
    let attempts = 0;
    call.onAgain = () => {
      attempts += 1;
      if (attempts === attemptsToCompare) this.#compare();
    };
    try {
      const answer = await next(call);
      this.#isOpen = true;
      return answer;
    } catch (error) {
      if (error instanceof LLMEtlError && error.scope === "run") this.#stopped ??= error; // before anybody is woken
      else if (error instanceof ProviderError && error.class === "row") this.#failedRows.add(call.pk);
      this.#isOpen ||= this.#failedRows.size >= ownFailuresToOpen;
      throw error;
    } finally {
      call.onAgain = undefined;
      this.#goingCount -= 1;
      this.#wake();
    }
  }

  /** Lets one other row's call go beside the one that gets no answer. */
  #compare(): void {
    this.#places = 2;
    this.#wake();
  }

  #wake(): void {
    const all = this.#isOpen || this.#stopped !== undefined;
    for (const resume of this.#waiting.splice(0, all ? Infinity : this.#places - this.#goingCount)) resume();
  }
}
