import type { LLMProvider, TokenUsage } from "../contracts/provider.ts";
import type { Prices } from "../contracts/prices.ts";
import { costOf } from "../llm/pricing.ts";

/** Numbers that add up over calls, by name. */
export type Amounts = Readonly<Record<string, number>>;

/** The tiers whose costs are compared; undefined stands for the standard one. */
export const comparedTiers: readonly (string | undefined)[] = [undefined, "flex", "batch"];

export const tierName = (tier: string | undefined): string => tier ?? "standard";

/** One attempt, as it counts in a plan. */
export interface PlannedCall {
  readonly provider: LLMProvider;
  readonly usage: TokenUsage;
  readonly prices: Prices | undefined;
  readonly isReAsk: boolean;
  readonly latencyMs: number;
  /** The tokens that its answer could have had: they count against a quota. */
  readonly maxOutputTokens: number;
  /** How many calls it stands for. @default 1 */
  readonly times?: number | undefined;
}

/**
 * The amounts of an attempt. A cost is that of its tokens in a tier, whichever tier answered; a Batch API is taken to have no cheaper
 * price for cached input.
 */
export function amountsOf(
  call: PlannedCall,
  providers: readonly LLMProvider[],
  tiers: readonly (string | undefined)[],
): Amounts {
  const { provider, usage, prices, isReAsk, latencyMs, maxOutputTokens, times = 1 } = call;
  const place = providers.indexOf(provider);
  const amounts: Record<string, number> = {
    calls: 1,
    reAsks: isReAsk ? 1 : 0,
    inputTokens: usage.inputTokens,
    cachedTokens: usage.cachedTokens,
    outputTokens: usage.outputTokens,
    callMs: latencyMs,
    [quotaCalls(place)]: 1,
    [quotaTokens(place)]: usage.inputTokens + maxOutputTokens,
  };
  for (const tier of prices === undefined ? [] : tiers) {
    const priced = tier === "batch" ? { ...usage, cachedTokens: 0, tier } : { ...usage, tier };
    amounts[costIn(tier)] = costOf(priced, prices) ?? 0;
  }
  if (prices !== undefined) amounts[costAsSet] = costOf({ ...usage, tier: provider.tier }, prices) ?? 0;
  return times === 1 ? amounts : scaled(amounts, times);
}

/** The cost of a call in the tier that its own provider asks for. */
export const costAsSet = "cost as set";
export const costIn = (tier: string | undefined): string => `cost ${tierName(tier)}`;
/** By the provider's place among those of the pipeline. */
export const quotaCalls = (place: number): string => `calls of ${place}`;
export const quotaTokens = (place: number): string => `tokens of ${place}`;

export function added(one: Amounts, other: Amounts): Amounts {
  const sums: Record<string, number> = { ...one };
  for (const [name, amount] of Object.entries(other)) sums[name] = (sums[name] ?? 0) + amount;
  return sums;
}

export function scaled(amounts: Amounts, times: number): Amounts {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, amount * times]));
}

/** The larger one of each amount. */
export function largerOf(one: Amounts, other: Amounts): Amounts {
  const larger: Record<string, number> = { ...one };
  for (const [name, amount] of Object.entries(other)) larger[name] = Math.max(larger[name] ?? 0, amount);
  return larger;
}
