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

test("what was written to the cache has its own price, or that of the input", () => {
  const usage = {
    inputTokens: 1_000_000,
    cachedTokens: 400_000,
    cacheWriteTokens: 500_000,
    outputTokens: 0,
    reasoningTokens: 0,
  };
  assert.equal(costOf(usage, { ...prices, cacheWritePerMillion: 2.5 }), 0.1 * 2 + 0.4 * 0.5 + 0.5 * 2.5);
  assert.equal(costOf(usage, prices), 0.6 * 2 + 0.4 * 0.5);
  const absurd = { ...usage, cacheWriteTokens: 9_000_000 };
  assert.equal(costOf(absurd, { ...prices, cacheWritePerMillion: 2.5 }), 0.4 * 0.5 + 0.6 * 2.5);
});

test("the tier that answered has its factor: ours, or that of the prices; one that is not known has none", () => {
  const usage = { inputTokens: 1_000_000, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };
  const costs = (own: object) =>
    [undefined, "flex", "batch", "priority", "scale", "toString"].map((tier) =>
      costOf({ ...usage, tier }, { ...prices, ...own }),
    );
  assert.deepEqual(costs({}), [2, 1, 1, 5, 2, 2]);
  assert.deepEqual(costs({ tierFactors: { flex: 0.4, scale: 0 } }), [2, 0.8, 1, 5, 0, 2]);
});

test("more cached tokens than there are make no cost that is negative", () => {
  const usage = { inputTokens: 10, cachedTokens: 1000, outputTokens: 0, reasoningTokens: 0 };
  assert.equal(costOf(usage, { ...prices, cachedInputPerMillion: 0 }), 0);
});

test("a long input has the prices of the last step that it reaches, cached tokens and the answer too", () => {
  const above = (aboveInputTokens: number, inputPerMillion: number) => {
    return { aboveInputTokens, inputPerMillion, cachedInputPerMillion: 1, outputPerMillion: 16 };
  };
  const longInput = [above(200_000, 4), above(500_000, 6)];
  const cost = (inputTokens: number, cachedTokens = 0, outputTokens = 0) =>
    costOf({ inputTokens, cachedTokens, outputTokens, reasoningTokens: 0 }, { ...prices, longInput });
  assert.equal(cost(200_000), 0.4);
  assert.equal(cost(200_001), 0.800004);
  assert.equal(cost(500_000), 2);
  assert.equal(cost(1_000_000, 500_000, 100_000), 3 + 0.5 + 1.6);
  checkPrices("Provider", { ...prices, longInput });
  const [first, second] = longInput;
  assert.ok(first && second);
  const wrong: readonly unknown[] = [[second, first], [first, first], [{ ...first, aboveInputTokens: -1 }], 7, [null]];
  for (const steps of wrong) {
    assert.throws(
      () => checkPrices("Provider", { ...prices, longInput: steps as never }), // as from JavaScript
      failsWith("INVALID_OPTION"),
    );
  }
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
  rejects("cacheWritePerMillion", -1);
  rejects("tierFactors", { flex: -0.5 });
  rejects("tierFactors", { flex: "half" });
  rejects("tierFactors", 0.5);
});
