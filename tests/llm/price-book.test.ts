import assert from "node:assert/strict";
import { test } from "node:test";
import * as genAIPrices from "@pydantic/genai-prices";
import { costOf } from "../../src/llm/pricing.ts";
import { PriceBook, type PricedProvider } from "../../src/llm/price-book.ts";
import type { RunEvent } from "../../src/contracts/events.ts";

const deployed = (deployment: string, model?: string): PricedProvider => ({
  name: "azure-openai",
  listing: { seller: "azure", model, deployment },
});
const own = (currency: string, inputPerMillion = 1): PricedProvider => ({
  name: "own",
  prices: { inputPerMillion, cachedInputPerMillion: 1, outputPerMillion: 1, currency },
});

async function bookOf(providers: readonly PricedProvider[], now = "2026-11-30T12:00:00Z") {
  const told: RunEvent[] = [];
  let loadCount = 0;
  const clock = { now: new Date(now) };
  const book = await PriceBook.open(providers, {
    emit: (event) => told.push(event),
    now: () => clock.now,
    load: async () => {
      loadCount += 1;
      return await Promise.resolve(genAIPrices);
    },
  });
  return { book, told, clock, loadCount };
}

test("own prices win, also those of 0, and then the package is not even loaded", async () => {
  const free = own("USD", 0);
  const alone = await bookOf([free, { name: "mock" }]);
  assert.equal(alone.loadCount, 0);
  assert.equal(alone.book.of(free, "gpt-4o"), free.prices);
  const listed = { ...free, listing: { seller: "openai", model: "gpt-4o" } };
  const { book, told } = await bookOf([listed, deployed("visits")]);
  assert.equal(book.of(listed, "gpt-4o")?.inputPerMillion, 0);
  assert.deepEqual(book.possible(listed), [free.prices]);
  assert.deepEqual(told, []);
});

test("the price is that of the model that answered; without one, of the model that is asked; the name of a deployment is no model's", async () => {
  const unnamed = deployed("gpt-4o");
  const named = deployed("gpt-4o", "gpt-4.1-mini");
  const { book, told } = await bookOf([unnamed, named]);
  const input = (provider: PricedProvider, model?: string) => book.of(provider, model)?.inputPerMillion;
  assert.equal(input(unnamed), undefined);
  assert.equal(input(unnamed, "gpt-4o"), undefined, "an answer without a model bears the deployment's name");
  assert.equal(input(unnamed, "gpt-4o-2024-11-20"), 2.5);
  assert.equal(input(named), 0.4);
  for (const absurd of ["", "  ", "gpt-4o", "x".repeat(100_000)]) assert.equal(input(named, absurd), 0.4);
  assert.equal(input(named, "gpt-5-2025-08-07"), 1.25, "another model than was named");
  assert.equal(input(named, "gpt-99"), undefined);
  assert.deepEqual(
    told.map((event) => (event.type === "list-price" ? [event.model, event.prices?.inputPerMillion] : event)),
    [
      ["gpt-4o-2024-11-20", 2.5],
      ["gpt-4.1-mini", 0.4],
      ["gpt-5-2025-08-07", 1.25],
      ["gpt-99", undefined],
    ],
  );
});

test("prices in two currencies are never mixed: beside euros no list is used", async () => {
  const { book, loadCount, told } = await bookOf([own("EUR"), deployed("visits", "gpt-4.1-mini")]);
  assert.equal(loadCount, 0);
  assert.equal(book.of(deployed("visits", "gpt-4.1-mini"), "gpt-4.1-mini"), undefined);
  assert.match(book.whyUnknown(deployed("visits", "gpt-4.1-mini")) ?? "", /USD.*EUR/);
  assert.deepEqual(told, []);
  const dollars = await bookOf([own("USD"), deployed("visits", "gpt-4.1-mini")]);
  assert.ok(dollars.book.of(deployed("visits"), "gpt-4.1-mini"));
});

test("for a cap all prices of the next day count, and each call has that of its minute", async () => {
  const provider = { name: "ai-sdk:deepseek", listing: { seller: "deepseek", model: "deepseek-v4-flash" } };
  const { book, clock } = await bookOf([provider], "2026-11-30T00:59:30Z");
  const possible = book.possible(provider).map(({ inputPerMillion }) => inputPerMillion);
  const early = book.of(provider)?.inputPerMillion ?? NaN;
  clock.now = new Date("2026-11-30T01:00:30Z");
  const peak = book.of(provider)?.inputPerMillion ?? NaN;
  assert.ok(peak > early);
  assert.deepEqual(new Set(possible), new Set([early, peak]));
  assert.equal(book.possible(provider), book.possible(provider), "it is looked up once a minute");
});

test("a service that names another model with each answer is told about 20 times", async () => {
  const provider = deployed("visits");
  const { book, told } = await bookOf([provider]);
  for (let answer = 0; answer < 100; answer += 1) assert.equal(book.of(provider, `model-${answer}`), undefined);
  assert.equal(told.length, 20);
});

test("a long input has the prices of long inputs, and costs that by list", async () => {
  const provider = deployed("visits", "gpt-5.6-luna");
  const { book } = await bookOf([provider]);
  const usage = { cachedTokens: 0, outputTokens: 1_000_000, reasoningTokens: 0 };
  const prices = book.of(provider);
  assert.equal(costOf({ ...usage, inputTokens: 271_999 }, prices), 1.2543998);
  assert.equal(costOf({ ...usage, inputTokens: 272_000 }, prices), 1.9088);
});
