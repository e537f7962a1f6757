import type { LLMProvider } from "../contracts/provider.ts";
import { OptionError } from "../errors/option.ts";

/**
 * The currency in which the run's cost is added up, or null where no provider has prices.
 *
 * @throws {OptionError} if the prices are in two currencies, or `maxCost` or a budget is given and a provider has none
 */
export function currencyOf(
  providers: readonly Pick<LLMProvider, "name" | "prices">[],
  maxCost: number,
  budget?: object,
): string | null {
  const currencies = new Set(providers.flatMap(({ prices }) => (prices === undefined ? [] : [prices.currency])));
  if (currencies.size > 1) {
    throw new OptionError("Pipeline", "llmProvider", "prices in more than one currency can't be added up", {
      expected: "prices in one currency",
      got: [...currencies].join(" and "),
    });
  }
  const free = providers.find(({ prices }) => prices === undefined);
  const option = maxCost < Infinity ? "maxCost" : "budget";
  if ((maxCost < Infinity || budget !== undefined) && free !== undefined) {
    throw new OptionError("Pipeline", option, `it needs the prices of every provider, and ${free.name} has none`, {
      provider: free.name,
      hint: `give ${free.name} its prices`,
    });
  }
  return [...currencies][0] ?? null;
}
