import assert from "node:assert/strict";
import { test } from "node:test";
import { failsWith } from "../support/error-facts.ts";
import { currencyOf } from "../../src/pipeline/currency.ts";

const pricesIn = (currency: string) => ({
  prices: { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency },
});

test("the currency is that of all prices; without prices there is none", () => {
  assert.equal(currencyOf([{ name: "a", ...pricesIn("USD") }, { name: "b" }], Infinity), "USD");
  assert.equal(currencyOf([{ name: "b" }], Infinity), null);
});

test("two currencies, and a limit of the cost where a provider has no prices, are refused", () => {
  assert.throws(
    () =>
      currencyOf(
        [
          { name: "a", ...pricesIn("USD") },
          { name: "b", ...pricesIn("EUR") },
        ],
        Infinity,
      ),
    failsWith("INVALID_OPTION", { where: "llmProvider", got: "USD and EUR" }),
  );
  assert.throws(
    () => currencyOf([{ name: "a", ...pricesIn("USD") }, { name: "b" }], 5),
    failsWith("INVALID_OPTION", { where: "maxCost", provider: "b" }),
  );
  assert.equal(currencyOf([{ name: "a", ...pricesIn("USD") }], 5), "USD");
});
