import { OptionError } from "../errors/option.ts";
import { PriceBook, type PriceBookOptions, type PricedProvider } from "../llm/price-book.ts";
import type { ResolvedPipeline, Settings } from "./resolve.ts";

/**
 * The currency of the providers' own prices, or null where no provider has any.
 *
 * @throws {OptionError} if they are in two currencies
 */
export function currencyOf(providers: readonly Pick<PricedProvider, "prices">[]): string | null {
  const currencies = new Set(providers.flatMap(({ prices }) => (prices === undefined ? [] : [prices.currency])));
  if (currencies.size > 1) {
    throw new OptionError("Pipeline", "llmProvider", "prices in more than one currency can't be added up", {
      expected: "prices in one currency",
      got: [...currencies].join(" and "),
    });
  }
  return [...currencies][0] ?? null;
}

/**
 * Opens the prices of a pipeline's calls.
 *
 * @throws {OptionError} if `maxCost` or a budget is given and the prices of a provider are not known before its first answer: no cap could hold
 */
export async function openPriceBook(
  { providers, settings }: ResolvedPipeline,
  options: PriceBookOptions,
): Promise<PriceBook> {
  const book = await PriceBook.open(providers, options);
  requireLimitPrices(providers, book, settings);
  return book;
}

/** @throws {OptionError} if costs are limited, and the prices of a provider are not known before its first answer */
export function requireLimitPrices(
  providers: readonly PricedProvider[],
  book: PriceBook,
  { maxCost, budget }: Pick<Settings, "maxCost" | "budget">,
): void {
  if (maxCost === Infinity && budget === undefined) return;
  const option = maxCost < Infinity ? "maxCost" : "budget";
  for (const provider of providers) {
    const reason = book.whyUnknown(provider);
    if (reason === undefined) continue;
    const { name, listing } = provider;
    const model = listing !== undefined && listing.model === undefined ? ", or the name of its model as model" : "";
    throw new OptionError("Pipeline", option, `it needs the prices of every provider, and ${reason}`, {
      provider: name,
      hint: `give ${name} its prices${model}`,
    });
  }
}
