import assert from "node:assert/strict";
import { test } from "node:test";
import { Budget } from "../../../src/llm/call/budget.ts";

test("exactly maxCalls calls go, and the next one ends the run", () => {
  const budget = new Budget({ maxCalls: 2, maxCost: Infinity });
  budget.spendCall();
  budget.spendCall();
  assert.throws(() => budget.spendCall(), { code: "LIMIT_REACHED", scope: "run", message: /maxCalls \(2\)/ });
});

test("once maxCost is spent no further call goes", () => {
  const budget = new Budget({ maxCalls: Infinity, maxCost: 1.5 });
  budget.spendCall();
  budget.spendCost(1.4);
  budget.spendCall();
  budget.spendCost(0.2);
  assert.throws(() => budget.spendCall(), { code: "LIMIT_REACHED", message: /maxCost \(1\.5\)/ });
});
