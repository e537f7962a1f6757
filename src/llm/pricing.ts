import { checkOptions, isName, isNumber } from "../core/options.ts";
import type { TokenUsage } from "./providers/base.ts";

/** What a provider's tokens cost, as your contract says: none are built in. Money per million tokens. */
export interface Prices {
  readonly inputPerMillion: number;
  /** For the part of the input that the service had cached. */
  readonly cachedInputPerMillion: number;
  /** Reasoning tokens are output tokens. */
  readonly outputPerMillion: number;
  /** As it is to stand in reports: `USD`, `EUR`. */
  readonly currency: string;
}

/** @throws {OptionError} for a price that is missing, negative or unknown */
export function checkPrices(owner: string, prices: Prices): void {
  checkOptions(`${owner} prices`, prices, {
    inputPerMillion: isNumber(0),
    cachedInputPerMillion: isNumber(0),
    outputPerMillion: isNumber(0),
    currency: isName,
  });
}

/** What an attempt cost, in the prices' currency; null without prices. */
export function costOf(usage: TokenUsage, prices: Prices | undefined): number | null {
  if (prices === undefined) return null;
  const { inputTokens, cachedTokens, outputTokens } = usage;
  const input = (inputTokens - cachedTokens) * prices.inputPerMillion + cachedTokens * prices.cachedInputPerMillion;
  return (input + outputTokens * prices.outputPerMillion) / 1_000_000;
}
