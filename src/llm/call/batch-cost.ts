import { WaitingForBatchError } from "../../errors/batch.ts";
import { type CallPrices, ownPrices } from "../price-book.ts";
import { tierFactor } from "../pricing.ts";
import type { Budget } from "./budget.ts";
import type { RowCall } from "./row-call.ts";
import { sentRequest } from "./send.ts";
import { worstCaseOf } from "./worst-case.ts";

/**
 * Takes requests for a batch out of a run's limit at the most that they can cost there, and returns that; 0 where nothing is limited and no
 * prices are known.
 *
 * The function throws a {@link WaitingForBatchError} for a request that does not fit: its row is for a later run, once others were collected.
 */
export function commitTo(
  budget: Budget,
  committed: () => number,
  prices: CallPrices = ownPrices,
): (call: RowCall) => number {
  let isTold = false;
  return (call) => {
    if (!isTold) budget.commit(committed());
    isTold = true;
    const { provider } = call;
    const possible = prices.possible(provider).map((one) => ({ one, factor: tierFactor(one, "batch") }));
    const costs = possible.map(
      ({ one, factor }) => worstCaseOf({ ...provider, tier: undefined }, sentRequest(call), [one]) * factor,
    );
    const worstCase = Math.max(0, ...costs);
    if (!budget.limitsCost || budget.commit(worstCase)) return worstCase;
    throw new WaitingForBatchError("the request does not fit under maxCost beside those that are in batches", {
      worstCase,
    });
  };
}
