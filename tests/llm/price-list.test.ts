import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as genAIPrices from "@pydantic/genai-prices";
import type { Prices } from "../../src/contracts/prices.ts";
import { checkPrices, costOf } from "../../src/llm/pricing.ts";
import { PriceList, type PricePackage, pricePackage } from "../../src/llm/price-list.ts";

const now = new Date("2026-11-30T12:00:00Z");

async function realList(): Promise<PriceList> {
  const list = await PriceList.load();
  assert.ok(list instanceof PriceList);
  return list;
}

async function listOf(loaded: Partial<PricePackage>): Promise<PriceList | string> {
  return await PriceList.load(async () => await Promise.resolve({ ...genAIPrices, ...loaded }));
}

async function says(list: Promise<PriceList | string>, reason: RegExp): Promise<void> {
  const found = await list;
  assert.ok(typeof found === "string");
  assert.match(found, reason);
}

test("the list names its package and version, and has the prices of a model by seller, by name and by dated name", async () => {
  const list = await realList();
  assert.equal(list.source, `${pricePackage} 0.1.8`);
  const mini = {
    inputPerMillion: 0.4,
    cachedInputPerMillion: 0.1,
    cacheWritePerMillion: 0.4,
    outputPerMillion: 1.6,
    currency: "USD",
  };
  for (const seller of ["azure", "openai", "https://visits.openai.azure.com/", "https://api.openai.com/v1"]) {
    for (const model of ["gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", "GPT-4.1-mini"]) {
      assert.deepEqual(list.prices(seller, model, now), mini, `${seller} ${model}`);
    }
  }
});

test("a model that the list does not have has no price, least of all that of one with a similar name", async () => {
  const list = await realList();
  const unknown = [
    "gpt-99",
    "gpt-6-unknown",
    "gpt-4o-2099-01-01",
    "my-deployment",
    "prod-gpt-5-mini",
    "o9",
    "",
    "toString",
  ];
  const trained = ["ft:gpt-4.1-mini:me::1", "o4-mini-2025-04-16.ft-0abc", "ft:gpt-4-0613:me::1"];
  const notByTokensAlone = ["text-embedding-3-small", "mai-ds-r1:free"];
  for (const seller of ["azure", "openai"]) {
    for (const model of [...unknown, ...trained, ...notByTokensAlone]) {
      assert.equal(list.prices(seller, model, now), undefined, `${seller} ${model}`);
    }
  }
  assert.equal(list.prices("perplexity", "sonar-pro", now), undefined, "it has a price for each request, too");
});

test("a seller is known by its id or the address of its API, and by nothing that looks alike", async () => {
  const list = await realList();
  const known = [
    "azure",
    "openai",
    "https://api.openai.com",
    "https://API.OPENAI.com/v1",
    "https://api.moonshot.cn/v1",
  ];
  const foreign = [
    "https://api.openai.com.gateway.example/v1",
    "https://api.openai.commerce/v1",
    "https://api.openai.com:8443/v1",
    "https://visits.openai.azure.com.example",
    "https://gateway.example/https://api.openai.com/v1",
    "https://api.moonshot.example.com/v1",
    "http://localhost:11434/v1",
    "http://10.0.0.7:8000/v1",
    "my-anthropic-proxy",
    "nobody",
  ];
  assert.deepEqual(
    known.filter((seller) => !list.hasSeller(seller)),
    [],
  );
  assert.deepEqual(
    foreign.filter((seller) => list.hasSeller(seller)),
    [],
  );
});

test("costs are those that the package calculates itself, for inputs of any length, cached and written parts", async () => {
  const list = await realList();
  const models = ["gpt-4.1-mini", "gpt-5.6-luna", "gpt-5.5", "gpt-5", "claude-sonnet-4-5", "claude-opus-5", "o4-mini"];
  const longLengths = [199_999, 200_000, 200_001, 271_999, 272_000, 272_001];
  const tokens = fc.oneof(fc.nat(1_000_000), fc.constantFrom(0, ...longLengths));
  fc.assert(
    fc.property(
      fc.constantFrom(...models),
      tokens,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(100_000),
      (model, inputTokens, share, outputTokens) => {
        const prices = list.prices("azure", model, now);
        assert.ok(prices !== undefined, model);
        checkPrices("list", prices);
        const cachedTokens = Math.floor(inputTokens * share);
        const cacheWriteTokens = Math.floor((inputTokens - cachedTokens) * share);
        const cost = costOf({ inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens: 0 }, prices);
        const usage = {
          input_tokens: inputTokens,
          cache_read_tokens: cachedTokens,
          cache_write_tokens: cacheWriteTokens,
        };
        const theirs = genAIPrices.calcPrice({ ...usage, output_tokens: outputTokens }, model, {
          providerId: "azure",
          timestamp: now,
        });
        assert.ok(Math.abs((cost ?? NaN) - (theirs?.total_price ?? NaN)) < 1e-9, `${cost} ${theirs?.total_price}`);
      },
    ),
  );
});

test("a price that changes with the day or the hour is that of the moment", async () => {
  const list = await realList();
  const input = (model: string, at: string): number | undefined =>
    list.prices(model.startsWith("deepseek") ? "deepseek" : "openai", model, new Date(at))?.inputPerMillion;
  assert.equal(input("o3", "2025-06-09T12:00:00Z"), 10);
  assert.equal(input("o3", "2025-06-11T12:00:00Z"), 2);
  const byHour = ["2026-11-30T02:00:00Z", "2026-11-30T05:00:00Z"].map((at) => input("deepseek-v4-flash", at) ?? NaN);
  assert.ok((byHour[0] ?? NaN) > (byHour[1] ?? NaN), byHour.join());
});

test("every model of the package has prices that can be counted with, or none", async () => {
  const list = await realList();
  const sellers = (await genAIPrices.waitForUpdate()) ?? [];
  let count = 0;
  for (const { id, models } of sellers) {
    for (const { id: model } of models) {
      const prices = list.prices(id, model, now);
      if (prices === undefined) continue;
      checkPrices(`${id} ${model}`, prices);
      count += 1;
    }
  }
  assert.ok(count > 1000, `${count}`);
});

test("a package that is missing, does not load or has another form is not used, and why is said in a clause", async () => {
  const missing = Object.assign(new Error("no such package"), { code: "ERR_MODULE_NOT_FOUND" });
  const loading = async (thrown: Error) => await PriceList.load(async () => await Promise.reject(thrown));
  await says(loading(missing), /not installed/);
  await says(loading(new Error("secret")), /can't be loaded$/);
  const others: readonly object[] = [
    { calcPrice: undefined },
    { findProvider: 7 },
    { calcPrice: () => ({ total: 1 }) },
    { calcPrice: () => ({ model: { id: "gpt-4o" }, model_price: { input_mtok: "2.50", output_mtok: 10 } }) },
    { calcPrice: () => ({ model: { id: "gpt-4o" }, model_price: { input_mtok: NaN, output_mtok: 10 } }) },
    { calcPrice: () => undefined },
    {
      calcPrice: () => {
        throw new Error("another signature");
      },
    },
  ];
  for (const other of others) await says(listOf(other), /another form/);
});

test("whatever a package gives for a model, its price is a number that can be counted with, or there is none", async () => {
  const given: { price: unknown } = { price: null };
  const list = await listOf({ calcPrice: (_usage, model) => (model === "gpt-4o" ? null : given.price) });
  assert.ok(list instanceof PriceList);
  const odd = fc.oneof(
    fc.double(),
    fc.constantFrom("1", null, -1, Infinity, NaN, [], {}),
    fc.record({ base: fc.double(), tiers: fc.anything() }),
  );
  const form = fc.record(
    { input_mtok: odd, output_mtok: odd, cache_read_mtok: odd, cache_write_mtok: odd },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.record({ model: fc.constant({ id: "m" }), model_price: form })), (price) => {
      given.price = price;
      const prices: Prices | undefined = list.prices("openai", "m", now);
      if (prices !== undefined) checkPrices("list", prices);
    }),
  );
});
