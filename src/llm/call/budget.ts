import { RunError } from "../../errors/llm-etl-error.ts";

/** The limits on what a run spends. */
export interface BudgetOptions {
  readonly maxCalls: number;
  /** In the currency of the providers' prices. */
  readonly maxCost: number;
}

/** Counts what was spent, and stops the run before a call that would go beyond. The cost overshoots by at most the calls in flight. */
export class Budget {
  readonly #options: BudgetOptions;
  #calls = 0;
  #cost = 0;

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** @throws {RunError} if the budget is used up */
  spendCall(): void {
    const { maxCalls, maxCost } = this.#options;
    if (this.#calls >= maxCalls) throw limitReached(`maxCalls (${maxCalls})`);
    if (this.#cost >= maxCost) throw limitReached(`maxCost (${maxCost})`);
    this.#calls += 1;
  }

  spendCost(cost: number): void {
    this.#cost += cost;
  }
}

function limitReached(limit: string): RunError {
  return new RunError("LIMIT_REACHED", `the run has reached ${limit}; raise it and run again to go on`);
}
