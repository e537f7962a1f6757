import assert from "node:assert/strict";
import { test } from "node:test";
import { Budget } from "../../../src/llm/call/budget.ts";
import { budgeted } from "../../../src/llm/call/budgeted.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { MockProvider } from "../../../src/llm/providers/mock.ts";
import { answer, rowCall } from "../../support/row-call.ts";

const { usage } = answer;
const prices = { inputPerMillion: 1_000_000, cachedInputPerMillion: 0, outputPerMillion: 2_000_000, currency: "EUR" };
const call = rowCall({ provider: new MockProvider({ prices }) }); // an answer costs 12

test("the cost of answers, and of failures that name their tokens, is spent; then no call goes", async () => {
  const outcomes = [
    async () => answer,
    async () => await Promise.reject(new ProviderError("row", "OWN", "no", { usage })),
  ];
  for (const outcome of outcomes) {
    const layer = budgeted(new Budget({ maxCalls: Infinity, maxCost: 12 }));
    await layer(outcome)(call).catch((error: unknown) => assert.ok(error instanceof ProviderError));
    await assert.rejects(layer(async () => assert.fail("no call goes"))(call), { code: "LIMIT_REACHED" });
  }
});

test("an attempt that failed is one of the calls, and costs nothing where nobody says so", async () => {
  const layer = budgeted(new Budget({ maxCalls: 2, maxCost: 1 }));
  const fails = layer(async () => await Promise.reject(new Error("down")));
  await assert.rejects(fails(call), { message: "down" });
  await assert.rejects(fails(call), { message: "down" });
  await assert.rejects(fails(call), { code: "LIMIT_REACHED", message: /maxCalls/ });
});
