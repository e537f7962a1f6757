import type { AttemptKind } from "../contracts/events.ts";
import type { Spent, StepSpending } from "../contracts/run-detail.ts";
import { CostSum, type Priced } from "./cost-sum.ts";

/** Adds up what the calls of a step were for. */
export class Spending {
  readonly #byKind = { first: new Sum(), "re-ask": new Sum(), longer: new Sum(), retry: new Sum() };
  readonly #badRows = new Sum();
  readonly #reusedOfEarlierRuns = new Sum();
  readonly #reusedOfThisRun = new Sum();
  /** Of the rows that have not ended, by primary key. */
  readonly #rows = new Map<string, Sum>();

  addCall(pk: string, kind: AttemptKind, price: Priced): void {
    this.#byKind[kind].add(price);
    let row = this.#rows.get(pk);
    if (row === undefined) this.#rows.set(pk, (row = new Sum()));
    row.add(price);
  }

  addReuse(price: Priced, isOfThisRun: boolean): void {
    (isOfThisRun ? this.#reusedOfThisRun : this.#reusedOfEarlierRuns).add(price);
  }

  endRow(pk: string, isBad: boolean): void {
    const row = this.#rows.get(pk);
    if (row === undefined) return;
    this.#rows.delete(pk);
    if (isBad) this.#badRows.addSum(row);
  }

  /** The sums so far, in `currency`. */
  figures(currency: string | null): StepSpending {
    const { first, "re-ask": reAsk, longer, retry } = this.#byKind;
    return {
      byKind: {
        first: first.spent(currency),
        "re-ask": reAsk.spent(currency),
        longer: longer.spent(currency),
        retry: retry.spent(currency),
      },
      badRows: this.#badRows.spent(currency),
      reusedOfEarlierRuns: this.#reusedOfEarlierRuns.spent(currency),
      reusedOfThisRun: this.#reusedOfThisRun.spent(currency),
    };
  }
}

class Sum {
  #calls = 0;
  #inputTokens = 0;
  #outputTokens = 0;
  readonly #cost = new CostSum();

  add(price: Priced): void {
    this.#calls += 1;
    this.#inputTokens += price.inputTokens;
    this.#outputTokens += price.outputTokens;
    this.#cost.add(price);
  }

  addSum(other: Sum): void {
    this.#calls += other.#calls;
    this.#inputTokens += other.#inputTokens;
    this.#outputTokens += other.#outputTokens;
    this.#cost.addSum(other.#cost);
  }

  spent(currency: string | null): Spent {
    return {
      calls: this.#calls,
      inputTokens: this.#inputTokens,
      outputTokens: this.#outputTokens,
      cost: this.#cost.in(currency),
    };
  }
}
