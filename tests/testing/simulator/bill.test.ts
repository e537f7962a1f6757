import assert from "node:assert/strict";
import { test } from "node:test";
import { faultNames, isWithoutAnswer, type SimulatorFaultName } from "../../../src/testing/simulator/faults.ts";
import { chat, completionIn, send, simulatorFor } from "../../support/simulator.ts";

const prices = {
  inputPerMillion: 2,
  cachedInputPerMillion: 0.2,
  cacheWritePerMillion: 2.5,
  outputPerMillion: 10,
  currency: "USD",
} as const;

/** Settles when nothing is worked on any more. */
async function done(simulator: { readonly bill: () => { readonly inWork: number } }): Promise<void> {
  while (simulator.bill().inWork > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("the bill is that of the usage in the replies, cache writes included, and is the same over HTTP", async (t) => {
  const simulator = await simulatorFor(t, { prices });
  const counts = { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0 };
  const system = { role: "system", content: "Summarize. ".repeat(600) };
  for (let row = 0; row < 6; row += 1) {
    const messages = [system, { role: "user", content: `Row ${row % 4}` }];
    const reply = await send(simulator, { body: { model: "d", messages } });
    const { usage } = JSON.parse(reply.body);
    counts.promptTokens += usage.prompt_tokens;
    counts.cachedTokens += usage.prompt_tokens_details.cached_tokens;
    counts.cacheWriteTokens += usage.prompt_tokens_details.cache_write_tokens;
    counts.completionTokens += usage.completion_tokens;
  }
  assert.ok(counts.cachedTokens > 0 && counts.cacheWriteTokens > 0);
  const { byDeployment, cost, currency, inWork, requests } = simulator.bill();
  const { promptTokens, cachedTokens, cacheWriteTokens, completionTokens } = counts;
  const plainTokens = promptTokens - cachedTokens - cacheWriteTokens;
  const expected = (plainTokens * 2 + cachedTokens * 0.2 + cacheWriteTokens * 2.5 + completionTokens * 10) / 1e6;
  assert.ok(Math.abs((cost ?? 0) - expected) < 1e-12);
  assert.deepEqual([currency, inWork, requests], ["USD", 0, 6]);
  assert.deepEqual(byDeployment, { d: { requests: 6, ...counts, cost } });
  const told = await send(simulator, { path: "/bill", method: "GET", headers: { "api-key": "" } });
  assert.deepEqual(JSON.parse(told.body), simulator.bill());
});

test("a price list without cache writes: the usage does not tell them", async (t) => {
  const { cacheWritePerMillion: _, ...others } = prices;
  const simulator = await simulatorFor(t, { prices: others });
  const { usage } = JSON.parse((await send(simulator, { body: chat("x".repeat(9000)) })).body);
  assert.deepEqual(usage.prompt_tokens_details, { cached_tokens: 0, audio_tokens: 0 });
  assert.equal(simulator.bill().cacheWriteTokens, 0);
});

test("billed is what was worked on, whatever reaches the client, and nothing else", async (t) => {
  let fault: SimulatorFaultName | undefined;
  const simulator = await simulatorFor(t, { prices, fault: () => fault, latencyMs: 2 });
  const billed: SimulatorFaultName[] = [];
  const others = faultNames.filter((name) => name !== "contentFilterPrompt");
  for (const name of others) {
    fault = name;
    simulator.reset();
    const stop = new AbortController();
    const asked = send(simulator, { body: chat("a row"), signal: stop.signal }).catch(() => undefined);
    while (simulator.statistics().requests === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    if (name === "hang" || name === "stalledBody") stop.abort();
    await asked;
    await done(simulator);
    const { requests, promptTokens, completionTokens, cost } = simulator.bill();
    if (requests > 0) billed.push(name);
    assert.ok(completionTokens <= 200, name);
    assert.equal(requests > 0, (cost ?? 0) > 0, name);
    assert.equal(requests > 0, promptTokens > 0, name);
  }
  assert.deepEqual(
    billed,
    others.filter((name) => !isWithoutAnswer(name)),
  );
});

test("a prompt that the filter rejects is billed for its input", async (t) => {
  const simulator = await simulatorFor(t, { prices, faults: { contentFilterPrompt: 1 } });
  assert.equal((await send(simulator, { body: chat("a", { service_tier: "flex" }) })).status, 400);
  const { requests, promptTokens, completionTokens, byTier } = simulator.bill();
  assert.deepEqual([requests, completionTokens, Object.keys(byTier)], [1, 0, ["flex"]]);
  assert.ok(promptTokens > 0);
});

test("what is turned away before any work costs nothing", async (t) => {
  const simulator = await simulatorFor(t, { prices, requestsPerMinute: 1, requestWindowMs: 60_000, apiKeys: ["k"] });
  const headers = { "api-key": "k" };
  simulator.update({ flexShortage: 1 });
  await send(simulator, { body: chat("a") }); // 401
  await send(simulator, { headers, body: chat("a", { service_tier: "flex" }) }); // 429 for want of capacity
  await send(simulator, { headers, body: chat("a", { service_tier: "turbo" }) }); // 400
  await send(simulator, { headers, body: chat("a") });
  await send(simulator, { headers, body: chat("b") }); // 429 of the quota
  simulator.update({ outage: "503" });
  await send(simulator, { headers, body: chat("c") });
  assert.deepEqual(simulator.statistics().byStatus, { 200: 1, 400: 1, 401: 1, 429: 2, 503: 1 });
  assert.equal(simulator.bill().requests, 1);
});

test("the tier that answered is billed, not the one that was asked for", async (t) => {
  const simulator = await simulatorFor(t, { prices, priorityDowngrades: 1 });
  await send(simulator, { body: chat("a", { service_tier: "priority" }) });
  await send(simulator, { body: chat("a", { service_tier: "flex" }) });
  const { byTier } = simulator.bill();
  assert.deepEqual(Object.keys(byTier), ["default", "flex"]);
  const [standard, flex] = [byTier["default"]?.cost ?? 0, byTier["flex"]?.cost ?? 0];
  assert.ok(Math.abs(flex / standard - 0.5) < 1e-9);
});

test("a client that leaves is billed when the work is done; a reset takes what is worked on off the bill", async (t) => {
  for (const options of [{}, { slots: 1 }]) {
    const simulator = await simulatorFor(t, { prices, latencyMs: 40, ...options });
    const leave = async (): Promise<void> => {
      const stop = new AbortController();
      const asked = send(simulator, { body: chat("a"), signal: stop.signal });
      while (simulator.bill().inWork === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      stop.abort();
      await assert.rejects(asked);
    };
    await leave();
    await done(simulator);
    assert.equal(simulator.bill().requests, 1);
    await leave();
    simulator.reset();
    assert.deepEqual([simulator.bill().requests, simulator.bill().inWork], [0, 0]);
    await send(simulator, { body: chat("b") });
    assert.equal(simulator.bill().requests, 1);
  }
});

test("an answer is billed no longer than the request allows, a refusal and reasoning too", async (t) => {
  const simulator = await simulatorFor(t, { prices, reasoning: true, faults: { refusal: 1 } });
  for (const limit of [1, 2, 5, 64]) {
    simulator.reset();
    const { usage } = completionIn(await send(simulator, { body: chat("a", { max_completion_tokens: limit }) }));
    assert.equal(usage.completion_tokens, limit);
    assert.equal(simulator.bill().completionTokens, limit);
  }
});
