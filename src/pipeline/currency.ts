import type { LLMProvider } from "../contracts/provider.ts";
import { OptionError } from "../errors/option.ts";

/**
 * The currency in which the run's cost is added up, or null where no provider has prices.
 *
 * @throws {OptionError} if the prices are in two currencies, or `maxCost` is given and a provider has none
 */
export function currencyOf(providers: readonly Pick<LLMProvider, "name" | "prices">[], maxCost: number): string | null {
  const currencies = new Set(providers.flatMap(({ prices }) => (prices === undefined ? [] : [prices.currency])));
  if (currencies.size > 1) {
    throw new OptionError("Pipeline", "llmProvider", `prices in ${[...currencies].join(" and ")} can't be added up`);
  }
  const free = providers.find(({ prices }) => prices === undefined);
  if (maxCost < Infinity && free !== undefined) {
    throw new OptionError("Pipeline", "maxCost", `needs the prices of every provider: ${free.name} has none`);
  }
  return [...currencies][0] ?? null;
}
