import type { Prices } from "../contracts/prices.ts";
import { checkOptions, isName, isNumber } from "../errors/options.ts";
import type { TokenUsage } from "../contracts/provider.ts";

/** Checks the prices of a provider. @throws {OptionError} for a price that is missing, negative or unknown */
export function checkPrices(owner: string, prices: Prices): void {
  checkOptions(`${owner} prices`, prices, {
    inputPerMillion: isNumber(0),
    cachedInputPerMillion: isNumber(0),
    outputPerMillion: isNumber(0),
    currency: isName,
  });
}

/** The cost of `usage`, in the currency of `prices`; null without prices. */
export function costOf(usage: TokenUsage, prices: Prices | undefined): number | null {
  if (prices === undefined) return null;
  const { inputTokens, outputTokens } = usage;
  const cachedTokens = Math.min(usage.cachedTokens, inputTokens); // an answer that 0.1 stored may have an absurd count
  const input = (inputTokens - cachedTokens) * prices.inputPerMillion + cachedTokens * prices.cachedInputPerMillion;
  return roundAmount((input + outputTokens * prices.outputPerMillion) / 1_000_000);
}

/** An amount without the digits that come from adding binary fractions: 12 decimals are finer than any price of a token. */
export function roundAmount(amount: number): number {
  return Number(amount.toFixed(12));
}
