import type { LongInputPrices, Prices, TokenPrices } from "../contracts/prices.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, isCount, isList, isName, isNumber, isObject, optional } from "../errors/options.ts";
import type { TokenUsage } from "../contracts/provider.ts";

const isPrice = isNumber(0);

const tokenPrices = {
  inputPerMillion: isPrice,
  cachedInputPerMillion: isPrice,
  cacheWritePerMillion: optional(isPrice),
  outputPerMillion: isPrice,
};

/** Checks the prices of a provider. @throws {OptionError} for a price that is missing, negative or unknown */
export function checkPrices(owner: string, prices: Prices): void {
  checkOptions(`${owner} prices`, prices, {
    ...tokenPrices,
    longInput: optional(isList),
    currency: isName,
    tierFactors: optional(isObject),
  });
  checkLongInput(`${owner} prices`, prices.longInput ?? []);
  for (const [tier, factor] of Object.entries<unknown>(prices.tierFactors ?? {})) {
    if (isPrice.fits(factor)) continue;
    throw new OptionError(`${owner} prices`, "tierFactors", "", {
      tier,
      expected: isPrice.expected,
      got: typeof factor,
    });
  }
}

function checkLongInput(owner: string, longInput: readonly LongInputPrices[]): void {
  for (const [index, prices] of longInput.entries()) {
    checkOptions(`${owner}.longInput[${index}]`, prices, { ...tokenPrices, aboveInputTokens: isCount(0) });
    const before = longInput[index - 1]?.aboveInputTokens ?? -1;
    if (prices.aboveInputTokens > before) continue;
    throw new OptionError(owner, "longInput", "", {
      expected: "prices in rising order of aboveInputTokens",
      got: `${prices.aboveInputTokens} after ${before}`,
    });
  }
}

/** Of tiers for which the prices name none: see {@link Prices.tierFactors} for their sources. */
const tierFactors: Readonly<Record<string, number>> = { flex: 0.5, batch: 0.5, priority: 2.5 };

/** The factor of all prices in a service tier; undefined stands for the standard one. */
export function tierFactor({ tierFactors: own = {} }: Prices, tier: string | undefined): number {
  const factors = { ...tierFactors, ...own };
  return tier !== undefined && Object.hasOwn(factors, tier) ? (factors[tier] ?? 1) : 1;
}

/** The cost of `usage`, in the currency of `prices`; null without prices. */
export function costOf(usage: TokenUsage, prices: Prices | undefined): number | null {
  if (prices === undefined) return null;
  const { inputTokens, outputTokens, tier } = usage;
  const {
    inputPerMillion,
    cachedInputPerMillion,
    cacheWritePerMillion = inputPerMillion,
    outputPerMillion,
  } = reachedPrices(prices, inputTokens).at(-1) ?? prices;
  const cachedTokens = Math.min(usage.cachedTokens, inputTokens); // an answer that 0.1 stored may have an absurd count
  const writtenTokens = Math.min(usage.cacheWriteTokens ?? 0, inputTokens - cachedTokens);
  const plainTokens = inputTokens - cachedTokens - writtenTokens;
  const input =
    plainTokens * inputPerMillion + cachedTokens * cachedInputPerMillion + writtenTokens * cacheWritePerMillion;
  return roundAmount(((input + outputTokens * outputPerMillion) / 1_000_000) * tierFactor(prices, tier));
}

/** The prices that hold for inputs of up to so many tokens; the last one holds for one of just so many. */
export function reachedPrices(prices: Prices, inputTokens: number): readonly TokenPrices[] {
  const { longInput = [] } = prices;
  return [prices, ...longInput.filter(({ aboveInputTokens }) => inputTokens > aboveInputTokens)];
}

/** An amount without the digits that come from adding binary fractions: 12 decimals are finer than any price of a token. */
export function roundAmount(amount: number): number {
  return Number(amount.toFixed(12));
}
