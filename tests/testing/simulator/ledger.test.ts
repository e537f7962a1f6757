import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { costOf } from "../../../src/llm/pricing.ts";
import { Ledger } from "../../../src/testing/simulator/ledger.ts";

const prices = { inputPerMillion: 2, cachedInputPerMillion: 0.5, outputPerMillion: 8, currency: "EUR" } as const;
const nothing = { requests: 0, promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0 };

test("the bill is that of all requests, of each deployment and of each tier", () => {
  const ledger = new Ledger({ ...prices, cacheWritePerMillion: 2.5 });
  const tokens = { promptTokens: 1000, cachedTokens: 400, cacheWriteTokens: 200, completionTokens: 100 };
  ledger.bill({ deployment: "a", tier: "default", ...tokens }); // 400 × 2 + 400 × 0.5 + 200 × 2.5 + 100 × 8 = 2,300
  ledger.bill({ deployment: "a", tier: "flex", ...tokens });
  ledger.bill({ deployment: "b", tier: "priority", ...tokens });
  const { byDeployment, byTier, ...total } = ledger.read();
  const times = (factor: number) => ({
    requests: factor,
    promptTokens: factor * 1000,
    cachedTokens: factor * 400,
    cacheWriteTokens: factor * 200,
    completionTokens: factor * 100,
  });
  assert.deepEqual(total, { ...times(3), cost: 0.0023 * 4, currency: "EUR", inWork: 0 });
  assert.deepEqual(byDeployment, { a: { ...times(2), cost: 0.0023 * 1.5 }, b: { ...times(1), cost: 0.0023 * 2.5 } });
  assert.deepEqual(
    Object.entries(byTier).map(([tier, { cost }]) => [tier, cost]),
    [
      ["default", 0.0023],
      ["flex", 0.0023 / 2],
      ["priority", 0.0023 * 2.5],
    ],
  );
});

test("own factors win, a cache write without a price is input, and without prices there is no cost", () => {
  const tokens = { promptTokens: 1_000_000, cachedTokens: 0, cacheWriteTokens: 1_000_000, completionTokens: 0 };
  const costWith = (given: ConstructorParameters<typeof Ledger>[0], tier: string): number | null => {
    const ledger = new Ledger(given);
    ledger.bill({ deployment: "a", tier, ...tokens });
    return ledger.read().cost;
  };
  assert.equal(costWith(prices, "default"), 2);
  assert.equal(costWith({ ...prices, tierFactors: { flex: 0.25 } }, "flex"), 0.5);
  assert.equal(costWith({ ...prices, tierFactors: { default: 3 } }, "default"), 6);
  assert.equal(costWith(undefined, "default"), null);
  assert.deepEqual(new Ledger(undefined).read(), {
    ...nothing,
    ...{ cost: null, currency: null, byDeployment: {}, byTier: {}, inWork: 0 },
  });
});

test("no money is lost where a client invents deployments", () => {
  const ledger = new Ledger(prices);
  const tokens = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 };
  for (let index = 0; index < 1500; index += 1) ledger.bill({ deployment: `d${index}`, tier: "default", ...tokens });
  const { requests, byDeployment } = ledger.read();
  assert.equal(requests, 1500);
  assert.deepEqual([Object.keys(byDeployment).length, byDeployment["others"]?.requests], [1001, 500]);
});

test("judge and judged come to the same amount, each by arithmetic of its own", () => {
  const price = fc.double({ min: 0, max: 200, noNaN: true });
  const list = fc.record({
    inputPerMillion: price,
    cachedInputPerMillion: price,
    cacheWritePerMillion: fc.option(price, { nil: undefined }),
    outputPerMillion: price,
    currency: fc.constant("USD"),
    tierFactors: fc.option(
      fc.dictionary(fc.constantFrom("flex", "priority"), fc.double({ min: 0, max: 5, noNaN: true })),
      {
        nil: undefined,
      },
    ),
  });
  const count = fc.nat(200_000);
  const call = fc.tuple(count, count, count, count, fc.constantFrom("default", "flex", "priority"));
  fc.assert(
    fc.property(list, fc.array(call, { maxLength: 30 }), (given, calls) => {
      const ledger = new Ledger(given);
      let cost = 0;
      for (const [plain, cachedTokens, cacheWriteTokens, completionTokens, tier] of calls) {
        const promptTokens = plain + cachedTokens + cacheWriteTokens;
        ledger.bill({ deployment: "d", tier, promptTokens, cachedTokens, cacheWriteTokens, completionTokens });
        const told = tier === "default" ? {} : { tier };
        const usage = { inputTokens: promptTokens, cachedTokens, cacheWriteTokens, outputTokens: completionTokens };
        cost += costOf({ ...usage, reasoningTokens: 0, ...told }, given) ?? 0;
      }
      const billed = ledger.read().cost ?? 0;
      assert.ok(Math.abs(billed - cost) <= 1e-9 * Math.max(1, billed), `${billed}, ${cost}`);
    }),
  );
});
