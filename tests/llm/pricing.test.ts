import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPrices, costOf } from "../../src/llm/pricing.ts";

const prices = { inputPerMillion: 2, cachedInputPerMillion: 0.5, outputPerMillion: 8, currency: "USD" };

test("cached input has its own price, and reasoning is output", () => {
  const usage = { inputTokens: 1_000_000, cachedTokens: 400_000, outputTokens: 250_000, reasoningTokens: 200_000 };
  assert.equal(costOf(usage, prices), 0.6 * 2 + 0.4 * 0.5 + 0.25 * 8);
  assert.equal(costOf({ inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 }, prices), 0);
});

test("a price that is missing, negative or unknown is refused", () => {
  checkPrices("Provider", prices);
  const refused = (wrong: object): void => {
    assert.throws(() => checkPrices("Provider", { ...prices, ...wrong }), { code: "INVALID_OPTION" });
  };
  refused({ inputPerMillion: -1 });
  refused({ currency: " " });
  refused({ cachedInputPerMillion: undefined });
  refused({ perMillion: 1 });
});
