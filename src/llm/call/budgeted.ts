import { costOf } from "../pricing.ts";
import type { Budget } from "./budget.ts";
import { usageOf } from "./recorded.ts";
import type { RowLayer } from "./row-call.ts";

/** Spends each attempt from the run's budget: the call before it goes, its cost when it has ended. */
export function budgeted(budget: Budget): RowLayer {
  return (next) => async (call) => {
    const { prices } = call.provider;
    budget.spendCall();
    try {
      const answer = await next(call);
      budget.spendCost(costOf(answer.usage, prices) ?? 0);
      return answer;
    } catch (error) {
      budget.spendCost(costOf(usageOf(error), prices) ?? 0);
      throw error;
    }
  };
}
