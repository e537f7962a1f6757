import type { PriceListing } from "../contracts/prices.ts";
import { PriceBook, type PricedProvider } from "../llm/price-book.ts";
import { currencyOf, requireLimitPrices } from "../pipeline/currency.ts";
import type { Settings } from "../pipeline/resolve.ts";
import type { Findings } from "./report.ts";

/** Finds the prices by which the providers' calls would be paid, as a run does. */
export async function checkPrices(
  findings: Findings,
  given: readonly PricedProvider[],
  settings: Pick<Settings, "maxCost" | "budget">,
): Promise<PriceBook> {
  const providers = given.map((provider) => {
    const { name, prices } = provider;
    return { name, prices, listing: listingOf(provider) };
  });
  const book = await PriceBook.open(providers, { emit: () => {} });
  await findings.tryCheck("providers", "prices", () => {
    const currency = currencyOf(providers);
    requireLimitPrices(providers, book, settings);
    const unpriced = providers.filter(({ prices }) => prices === undefined);
    const listed = unpriced.filter((provider) => book.whyUnknown(provider) === undefined);
    const models = [...new Set(listed.map(({ listing }) => listing?.model))];
    const prices = [
      ...(currency === null ? [] : [currency]),
      ...(listed.length === 0 ? [] : [`list prices of ${book.source} for ${models.join(" and ")}`]),
    ];
    const none = "none given, so what a run costs is not known";
    findings.add("providers", "prices", "ok", prices.length === 0 ? none : prices.join(", and "));
    for (const provider of unpriced) {
      const reason = provider.listing && book.whyUnknown(provider);
      if (reason !== undefined) findings.add("providers", `prices of ${provider.name}`, "ok", reason);
    }
  });
  return book;
}

/** A provider whose settings are not complete does not know its place in a list, and says so elsewhere. */
function listingOf(provider: PricedProvider): PriceListing | undefined {
  try {
    return provider.listing;
  } catch {
    return undefined;
  }
}
