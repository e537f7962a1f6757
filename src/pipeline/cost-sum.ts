import type { RunCost } from "../contracts/report.ts";
import { roundAmount } from "../llm/pricing.ts";

/** Calls, or answers that took their place, as far as their cost goes. */
export interface Priced {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** null where no price is known. */
  readonly cost: number | null;
}

/** Adds up costs. */
export class CostSum {
  #amount = 0;
  #hasPriced = false;
  #unpricedCount = 0;

  /** Those that used tokens, and whose cost is not known. */
  get unpricedCount(): number {
    return this.#unpricedCount;
  }

  add({ inputTokens, outputTokens, cost }: Priced): void {
    if (cost !== null) {
      this.#amount += cost;
      this.#hasPriced = true;
    } else if (inputTokens + outputTokens > 0) {
      this.#unpricedCount += 1;
    }
  }

  addSum(other: CostSum): void {
    this.#amount += other.#amount;
    this.#hasPriced ||= other.#hasPriced;
    this.#unpricedCount += other.#unpricedCount;
  }

  /** The sum of the known costs. null without a currency, and where there are costs and none is known: that is not 0. */
  in(currency: string | null): RunCost | null {
    if (currency === null || (!this.#hasPriced && this.#unpricedCount > 0)) return null;
    return { amount: roundAmount(this.#amount), currency };
  }
}
