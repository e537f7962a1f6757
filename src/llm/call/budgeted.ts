import type { LLMResponse } from "../../contracts/provider.ts";
import { costOf } from "../pricing.ts";
import type { Budget, Settle } from "./budget.ts";
import type { JournalBudget } from "./journal-budget.ts";
import type { RowAsk, RowCall, RowLayer } from "./row-call.ts";
import { sentRequest } from "./send.ts";
import { costOfFailure, worstCaseOf } from "./worst-case.ts";

/** Spends each attempt from the run's budget, and from the journal's: the call before it goes, its cost when it has ended. */
export function budgeted(budget: Budget, ofJournal?: JournalBudget): RowLayer {
  if (!budget.limitsCost && ofJournal === undefined) {
    return (next) => async (call) => {
      budget.spendCall();
      return await next(call);
    };
  }
  const reserve = async (worstCase: number, call: RowCall): Promise<Settle> => {
    const settle = await budget.reserve(worstCase, call.signal);
    if (ofJournal === undefined) return settle;
    try {
      const settleInJournal = await ofJournal.reserve(worstCase, call);
      return (cost) => {
        settle(cost);
        settleInJournal(cost);
      };
    } catch (error) {
      settle(0);
      throw error;
    }
  };
  /** How much dearer an attempt was than its worst case: a service may not heed its limit, or answer in a dearer tier. */
  let excess = 1;
  return (next) => async (call) => {
    const worstCase = worstCaseOf(call.provider, sentRequest(call)) * excess;
    const settle = await reserve(worstCase, call);
    let cost = 0;
    try {
      budget.spendCall();
      const ended = await endOf(next, call, worstCase);
      cost = ended.cost;
      if (cost > worstCase && worstCase > 0) excess *= cost / worstCase;
      if ("answer" in ended) return ended.answer;
      throw ended.error;
    } finally {
      settle(cost);
    }
  };
}

type Ended = { readonly cost: number } & ({ readonly answer: LLMResponse } | { readonly error: unknown });

/** The end of an attempt. Where its tokens are not known it has cost its worst case. */
async function endOf(next: RowAsk, call: RowCall, worstCase: number): Promise<Ended> {
  const { provider } = call;
  try {
    const answer = await next(call);
    const { usage } = answer;
    return { answer, cost: usage.isEstimated === true ? worstCase : (costOf(usage, provider.prices) ?? 0) };
  } catch (error) {
    return { error, cost: costOfFailure(error, provider, worstCase) };
  }
}
