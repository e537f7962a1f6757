import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { LLMProvider } from "../../../src/contracts/provider.ts";
import { Budget } from "../../../src/llm/call/budget.ts";
import { budgeted } from "../../../src/llm/call/budgeted.ts";
import { worstCaseOf } from "../../../src/llm/call/worst-case.ts";
import { NotSentError } from "../../../src/llm/not-sent.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { MockProvider } from "../../../src/llm/providers/mock.ts";
import { answer, rowCall } from "../../support/row-call.ts";

const { usage } = answer;
const prices = { inputPerMillion: 1_000_000, cachedInputPerMillion: 0, outputPerMillion: 2_000_000, currency: "EUR" };
const mock = new MockProvider({ prices });
const provider: LLMProvider = {
  name: "mock",
  fingerprint: mock.fingerprint,
  complete: mock.complete,
  prices,
  requestBytes: () => 50,
};
const call = rowCall({ provider }); // an answer costs 12, and 250 at most: 50 bytes and 100 tokens
const worstCase = 250;

/** The rest of a limit of 1,000 after an attempt with this outcome: the dearest call that still goes. */
async function spentBy(outcome: () => Promise<typeof answer>): Promise<number> {
  const budget = new Budget({ maxCalls: Infinity, maxCost: 1000 });
  await budgeted(budget)(outcome)(call).catch(() => {});
  let spent = 0;
  await budget.reserve(1001, call.signal).catch((error: { facts?: { spent?: number } }) => {
    spent = error.facts?.spent ?? Number.NaN;
  });
  return spent;
}

function failing(cause: Error): () => Promise<never> {
  return async () => await Promise.reject(cause);
}

test("the worst case is each byte as a token at the dearest price of input, and the longest answer, in the dearest tier", () => {
  const { request } = call;
  assert.equal(worstCaseOf(provider, request), worstCase);
  assert.equal(worstCaseOf({ ...provider, prices: { ...prices, cacheWritePerMillion: 3_000_000 } }, request), 350);
  assert.equal(worstCaseOf({ ...provider, maxReasoningTokens: 10 }, { ...request, lengthFactor: 2 }), 290);
  assert.equal(worstCaseOf({ ...provider, tier: "flex" }, request), worstCase);
  assert.equal(worstCaseOf({ ...provider, tier: "priority" }, request), 625);
  assert.equal(worstCaseOf({ ...provider, maxAnswerTokens: 300, maxReasoningTokens: 10 }, request), 650);
  assert.equal(worstCaseOf({ ...provider, prices: undefined }, request), 0);
  const other = { ...prices, outputPerMillion: 0 };
  assert.equal(worstCaseOf(provider, request, [other, prices]), worstCase, "the dearest that may hold");
  const longInput = (aboveInputTokens: number) => [{ ...prices, aboveInputTokens, outputPerMillion: 9_000_000 }];
  const most = worstCaseOf(provider, request, [{ ...prices, longInput: longInput(0) }]);
  assert.ok(most > worstCase, "a step of the prices that the request may reach");
  assert.equal(worstCaseOf(provider, request, [{ ...prices, longInput: longInput(1_000_000) }]), worstCase);
  assert.equal(
    worstCaseOf(provider, request, [{ ...prices, longInput: [{ ...other, aboveInputTokens: 0 }] }]),
    worstCase,
    "a cheaper step may not be reached",
  );
  const { requestBytes: _, ...untold } = provider;
  assert.ok(worstCaseOf(untold, request) > 1200);
});

test("an answer costs its tokens; one whose tokens were not counted its worst case", async () => {
  assert.equal(await spentBy(async () => answer), 12);
  assert.equal(await spentBy(async () => ({ ...answer, usage: { ...usage, isEstimated: true } })), worstCase);
});

test("a failure costs what its service said, nothing where none is charged, and else the worst case", async () => {
  const failed = (code: string, facts: ConstructorParameters<typeof ProviderError>[3]): Error =>
    new ProviderError("transient", code, "it failed", facts);
  const cases: readonly (readonly [Error, number])[] = [
    [failed("OWN", { usage }), 12],
    [failed("RATE_LIMITED", { status: 429 }), 0],
    [failed("AUTHENTICATION_FAILED", { status: 401 }), 0],
    [failed("SERVICE_UNAVAILABLE", { status: 500, kind: "server" }), 0],
    [failed("SERVICE_UNAVAILABLE", { status: 503, kind: "overload" }), 0],
    [failed("NETWORK_ERROR", { unreachable: "port" }), 0],
    [failed("NETWORK_ERROR", { unreachable: "host" }), 0],
    [failed("NETWORK_ERROR", { unreachable: "protocol" }), worstCase],
    [failed("NETWORK_ERROR", {}), worstCase],
    [failed("TIMEOUT", {}), worstCase],
    [failed("CONTENT_FILTER", { status: 400, kind: "filter" }), worstCase],
    [failed("SERVICE_UNAVAILABLE", { status: 504, kind: "server" }), worstCase],
    [failed("INVALID_RESPONSE", { status: 200, kind: "unreadable" }), worstCase],
    [new NotSentError("stopped"), 0],
    [new Error("of a provider of the user's own"), worstCase],
  ];
  for (const [error, expected] of cases) assert.equal(await spentBy(failing(error)), expected, String(error));
});

test("a service that charges more than the worst case raises that of the next calls", async () => {
  const budget = new Budget({ maxCalls: Infinity, maxCost: 1200 });
  const dear = { ...answer, usage: { ...usage, inputTokens: 500, cachedTokens: 0, outputTokens: 0 } };
  const layer = budgeted(budget);
  await layer(async () => dear)(call);
  await assert.rejects(Promise.all([layer(async () => dear)(call), layer(async () => dear)(call)]), {
    code: "LIMIT_REACHED",
  });
});

test("a service that answers in a dearer tier than it was asked for raises the worst case, whatever the answer cost", async () => {
  const budget = new Budget({ maxCalls: Infinity, maxCost: 1000 });
  const layer = budgeted(budget);
  const priority = async () => ({ ...answer, usage: { ...usage, tier: "priority" } }); // costs 30
  await layer(priority)(call);
  const { promise, resolve } = Promise.withResolvers<typeof answer>();
  const asked = layer(async () => await promise)(call); // may cost 625
  const waiting = layer(priority)(call);
  let isOver = false;
  void waiting.then(() => (isOver = true));
  await setImmediate();
  assert.equal(isOver, false, "two such calls do not fit");
  resolve(answer);
  await Promise.all([asked, waiting]);
});

test("an attempt that failed is one of the calls; without a limit of the cost nothing is reserved", async () => {
  for (const maxCost of [1000, Infinity]) {
    const layer = budgeted(new Budget({ maxCalls: 2, maxCost }));
    const fails = layer(failing(new Error("down")));
    await assert.rejects(fails(call), { message: "down" });
    await assert.rejects(fails(call), { message: "down" });
    await assert.rejects(fails(call), { code: "LIMIT_REACHED", message: /maxCalls/ });
  }
});
