import assert from "node:assert/strict";
import { test } from "node:test";
import { failsWith } from "../support/error-facts.ts";
import { PriceBook, type PricedProvider } from "../../src/llm/price-book.ts";
import { currencyOf, requireLimitPrices } from "../../src/pipeline/currency.ts";

const pricesIn = (currency: string) => ({
  prices: { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency },
});

test("the currency is that of all prices; without prices there is none", () => {
  assert.equal(currencyOf([pricesIn("USD"), {}]), "USD");
  assert.equal(currencyOf([{}]), null);
  assert.throws(
    () => currencyOf([pricesIn("USD"), pricesIn("EUR")]),
    failsWith("INVALID_OPTION", { where: "llmProvider", got: "USD and EUR" }),
  );
});

test("a limit of the cost needs prices that are known before the first answer: own ones, or the list price of a model that is named", async () => {
  const require = async (...providers: readonly PricedProvider[]): Promise<void> =>
    requireLimitPrices(providers, await PriceBook.open(providers, { emit: () => {} }), {
      maxCost: 1,
      budget: undefined,
    });
  const own = { name: "own", ...pricesIn("USD") };
  const named = { name: "named", listing: { seller: "azure", model: "gpt-4.1-mini", deployment: "visits" } };
  await require(own, named);
  const rejected = {
    none: { name: "none" },
    unknown: { name: "unknown", listing: { seller: "azure", deployment: "gpt-4o" } },
    unlisted: { name: "unlisted", listing: { seller: "azure", model: "gpt-99" } },
    gateway: { name: "gateway", listing: { seller: "https://gateway.example/v1", model: "gpt-4o" } },
  };
  for (const provider of Object.values(rejected)) {
    const expected = failsWith("INVALID_OPTION", { where: "maxCost", provider: provider.name });
    await assert.rejects(require(own, provider), expected);
  }
  await assert.rejects(
    require({ ...own, ...pricesIn("EUR") }, named),
    failsWith("INVALID_OPTION", { provider: "named" }),
  );
});
