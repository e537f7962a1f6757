import type { LLMResponse } from "../../contracts/provider.ts";
import { costOf } from "../pricing.ts";
import type { Budget } from "./budget.ts";
import type { RowAsk, RowCall, RowLayer } from "./row-call.ts";
import { sentRequest } from "./send.ts";
import { costOfFailure, tierRise, worstCaseOf } from "./worst-case.ts";

/** Spends each attempt from the run's budget: the call before it goes, its cost when it has ended. */
export function budgeted(budget: Budget): RowLayer {
  if (!budget.limitsCost) {
    return (next) => async (call) => {
      budget.spendCall();
      return await next(call);
    };
  }
  /** How much dearer an attempt was than its worst case: a service may not heed its limit, or answer in a dearer tier. */
  let excess = 1;
  return (next) => async (call) => {
    const worstCase = worstCaseOf(call.provider, sentRequest(call)) * excess;
    const settle = await budget.reserve(worstCase, call.signal);
    let cost = 0;
    try {
      budget.spendCall();
      const ended = await endOf(next, call, worstCase);
      cost = ended.cost;
      if (cost > worstCase && worstCase > 0) excess *= cost / worstCase;
      if (!("answer" in ended)) throw ended.error;
      excess = Math.max(excess, tierRise(call.provider, ended.answer.usage));
      return ended.answer;
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
