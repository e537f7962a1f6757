import { RunError } from "../../errors/llm-etl-error.ts";
import { roundAmount } from "../pricing.ts";

/** The limits on what a run spends. */
export interface BudgetOptions {
  readonly maxCalls: number;
  /** In the currency of the providers' prices. */
  readonly maxCost: number;
}

/** Ends a reservation with what the attempt cost. A second call does nothing. */
export type Settle = (cost: number) => void;

interface Waiting {
  readonly worstCase: number;
  readonly go: () => void;
  readonly stop: (error: unknown) => void;
}

/**
 * Lets a call go only if it can't bring the run above its limits: what is spent, the most that the calls in flight can cost and the most that
 * this one can cost have to fit. Near the limit calls wait for each other, so that in the end one goes at a time; the run stops before one that does not fit
 * alone.
 */
export class Budget {
  readonly #options: BudgetOptions;
  #calls = 0;
  #spent = 0;
  #reserved = 0;
  #inFlight = 0;
  /** The worst case of the call that did not fit any more: the run stops, and no other goes, however little it may cost. */
  #tooDear: number | undefined;
  #waiting: readonly Waiting[] = [];

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** True if costs are limited: then the worst case of a call is to be known. */
  get limitsCost(): boolean {
    return this.#options.maxCost < Infinity;
  }

  /** @throws {RunError} if as many calls went as may go */
  spendCall(): void {
    const { maxCalls } = this.#options;
    if (this.#calls >= maxCalls) throw limitReached(`maxCalls (${maxCalls})`, {});
    this.#calls += 1;
  }

  /**
   * Reserves the most that a call can cost; waits while only the calls in flight stand in its way.
   *
   * @throws {RunError} if it does not fit, whatever the others cost
   * @throws the signal's reason
   */
  async reserve(worstCase: number, signal: AbortSignal): Promise<Settle> {
    signal.throwIfAborted();
    if (this.#tooDear !== undefined) throw this.#costReached(this.#tooDear);
    if (this.#waiting.length > 0 || !this.#fits(worstCase)) await this.#turn(worstCase, signal);
    else this.#take(worstCase);
    let isSettled = false;
    return (cost) => {
      if (isSettled) return;
      isSettled = true;
      this.#inFlight -= 1;
      // Sums of fractions drift; without a call in flight nothing is reserved.
      this.#reserved = this.#inFlight === 0 ? 0 : roundAmount(this.#reserved - worstCase);
      this.#spent = roundAmount(this.#spent + cost);
      this.#next();
    };
  }

  /** Takes the most that a request in a batch can cost, for good; false where it does not fit. */
  commit(worstCase: number): boolean {
    if (!this.#fits(worstCase)) return false;
    this.#spent = roundAmount(this.#spent + worstCase);
    return true;
  }

  #fits(worstCase: number): boolean {
    return roundAmount(this.#spent + this.#reserved + worstCase) <= this.#options.maxCost;
  }

  #take(worstCase: number): void {
    this.#reserved = roundAmount(this.#reserved + worstCase);
    this.#inFlight += 1;
  }

  async #turn(worstCase: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve: go, reject: stop } = Promise.withResolvers<void>();
    const waiting = { worstCase, go, stop };
    const onAbort = (): void => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      stop(signal.reason);
      this.#next();
    };
    signal.addEventListener("abort", onAbort);
    this.#waiting = [...this.#waiting, waiting];
    this.#next();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Lets go who fits, in their order: the first of them would else wait for ever behind smaller ones. */
  #next(): void {
    const [first, ...others] = this.#waiting;
    if (first === undefined) return;
    if (this.#fits(first.worstCase)) {
      this.#waiting = others;
      this.#take(first.worstCase);
      first.go();
      return this.#next();
    }
    if (this.#inFlight > 0) return;
    this.#tooDear = first.worstCase;
    for (const { stop } of this.#waiting) stop(this.#costReached(first.worstCase));
    this.#waiting = [];
  }

  #costReached(worstCase: number): RunError {
    const { maxCost } = this.#options;
    const facts = { maxCost, spent: this.#spent, worstCase: roundAmount(worstCase) };
    return limitReached(
      `maxCost (${maxCost}): ${this.#spent} is spent, and the next call may cost ${facts.worstCase}`,
      facts,
    );
  }
}

function limitReached(limit: string, facts: Readonly<Record<string, number>>): RunError {
  return new RunError("LIMIT_REACHED", `the run has reached ${limit}; raise it and run again to go on`, { facts });
}
