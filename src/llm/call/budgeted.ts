import type { LLMResponse } from "../../contracts/provider.ts";
import { type CallPrices, ownPrices } from "../price-book.ts";
import { costOf } from "../pricing.ts";
import type { Budget, Settle } from "./budget.ts";
import type { JournalBudget } from "./journal-budget.ts";
import type { RowAsk, RowCall, RowLayer } from "./row-call.ts";
import { sentRequest } from "./send.ts";
import { costOfFailure, tierRise, worstCaseOf } from "./worst-case.ts";

/** Spends each attempt from the run's budget, and from the journal's: the call before it goes, its cost when it has ended. */
export function budgeted(budget: Budget, ofJournal?: JournalBudget, prices: CallPrices = ownPrices): RowLayer {
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
    const worstCase = worstCaseOf(call.provider, sentRequest(call), prices.possible(call.provider)) * excess;
    const settle = await reserve(worstCase, call);
    let cost = 0;
    try {
      budget.spendCall();
      const ended = await endOf(next, call, prices, worstCase);
      cost = ended.cost;
      if (cost > worstCase && worstCase > 0) excess *= cost / worstCase;
      if (!("answer" in ended)) throw ended.error;
      excess = Math.max(
        excess,
        tierRise(call.provider, ended.answer.usage, prices.of(call.provider, ended.answer.model)),
      );
      return ended.answer;
    } finally {
      settle(cost);
    }
  };
}

type Ended = { readonly cost: number } & ({ readonly answer: LLMResponse } | { readonly error: unknown });

/** The end of an attempt. Where its tokens or the price of the model that answered are not known it has cost its worst case. */
async function endOf(next: RowAsk, call: RowCall, prices: CallPrices, worstCase: number): Promise<Ended> {
  const { provider } = call;
  try {
    const answer = await next(call);
    const { usage, model } = answer;
    const cost = usage.isEstimated === true ? null : costOf(usage, prices.of(provider, model));
    return { answer, cost: cost ?? worstCase };
  } catch (error) {
    return { error, cost: costOfFailure(error, prices.of(provider), worstCase) };
  }
}
