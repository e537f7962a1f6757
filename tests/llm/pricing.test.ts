import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPrices, costOf } from "../../src/llm/pricing.ts";
import { failsWith } from "../support/error-facts.ts";

const prices = { inputPerMillion: 2, cachedInputPerMillion: 0.5, outputPerMillion: 8, currency: "USD" };

test("cached input has its own price, and reasoning is output", () => {
  const usage = { inputTokens: 1_000_000, cachedTokens: 400_000, outputTokens: 250_000, reasoningTokens: 200_000 };
  assert.equal(costOf(usage, prices), 0.6 * 2 + 0.4 * 0.5 + 0.25 * 8);
  assert.equal(costOf({ inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 }, prices), 0);
});

test("more cached tokens than there are make no cost that is negative", () => {
  const usage = { inputTokens: 10, cachedTokens: 1000, outputTokens: 0, reasoningTokens: 0 };
  assert.equal(costOf(usage, { ...prices, cachedInputPerMillion: 0 }), 0);
});

test("a price that is missing, negative or unknown is rejected", () => {
  checkPrices("Provider", prices);
  const rejects = (where: string, value: unknown): void => {
    const wrong = { ...prices, [where]: value };
    assert.throws(() => checkPrices("Provider", wrong), failsWith("INVALID_OPTION", { where }));
  };
  rejects("inputPerMillion", -1);
  rejects("currency", " ");
  rejects("cachedInputPerMillion", undefined);
  rejects("perMillion", 1);
});
