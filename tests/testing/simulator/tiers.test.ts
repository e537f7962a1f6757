import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { JSONSchema } from "../../../src/json/json-schema.ts";
import { OpenAICompatibleProvider } from "../../../src/llm/providers/openai-compatible.ts";
import { chat, errorIn, send, simulatorFor } from "../../support/simulator.ts";

const Tiered = z.object({ service_tier: z.string() });

const tierIn = (received: { readonly body: string }): string => Tiered.parse(JSON.parse(received.body)).service_tier;

test("the tier that was asked for answers, the header before the body, and the reply says which", async (t) => {
  const simulator = await simulatorFor(t);
  const cases = [
    [undefined, undefined, "default"],
    [null, undefined, "default"],
    ["auto", undefined, "default"],
    ["default", undefined, "default"],
    ["flex", undefined, "flex"],
    ["priority", undefined, "priority"],
    ["priority", "flex", "flex"],
    ["flex", "auto", "default"],
    ["turbo", "priority", "priority"],
  ] as const;
  for (const [field, header, tier] of cases) {
    const headers = header === undefined ? {} : { "x-ms-service-tier": header };
    const reply = await send(simulator, { headers, body: chat("a", { service_tier: field }) });
    assert.equal(tierIn(reply), tier, `${field}, ${header}`);
  }
});

test("a tier that nobody knows, and one that the deployment has not, are a 400 that names the field", async (t) => {
  const simulator = await simulatorFor(t, { tiers: ["default", "priority"] });
  for (const tier of ["flex", "batch", "Flex", 1, {}]) {
    const reply = await send(simulator, { body: chat("a", { service_tier: tier }) });
    const { type, param } = errorIn(reply);
    assert.deepEqual([reply.status, type, param], [400, "invalid_request_error", "service_tier"]);
  }
  const headers = { "x-ms-service-tier": "flex" };
  assert.equal((await send(simulator, { headers, body: chat("a") })).status, 400);
  assert.equal((await send(simulator, { body: chat("a", { service_tier: "priority" }) })).status, 200);
});

test("a share of the Flex requests finds no capacity: a 429 that is not the quota's, and uses none of it", async (t) => {
  const simulator = await simulatorFor(t, { flexShortage: 0.5, requestsPerMinute: 100, requestWindowMs: 60_000 });
  const statuses: number[] = [];
  for (let row = 0; row < 60; row += 1) {
    const reply = await send(simulator, { body: chat(`${row}`, { service_tier: "flex" }) });
    statuses.push(reply.status);
    if (reply.status === 200) continue;
    assert.equal(errorIn(reply).code, "resource_unavailable");
    assert.equal(reply.headers["retry-after"], undefined);
  }
  const shortages = statuses.filter((status) => status === 429).length;
  assert.ok(shortages > 15 && shortages < 45, `${shortages}`);
  const { flexShortages, rateLimitedRequests } = simulator.statistics();
  assert.deepEqual([flexShortages, rateLimitedRequests], [shortages, 0]);
  const { headers } = await send(simulator, { body: chat("other tier") });
  assert.equal(headers["x-ratelimit-remaining-requests"], String(100 - (60 - shortages) - 1));
});

test("Flex without any capacity leaves other tiers alone, and a retry of a request may find some", async (t) => {
  const simulator = await simulatorFor(t, { flexShortage: 1 });
  const status = async (tier?: string): Promise<number> =>
    (await send(simulator, { body: chat("a", { service_tier: tier }) })).status;
  assert.deepEqual([await status(), await status("priority"), await status("flex")], [200, 200, 429]);
  simulator.update({ flexShortage: ({ timesSeen }) => timesSeen < 5 });
  const tries = [];
  for (let time = 0; time < 6; time += 1) tries.push(await status("flex"));
  assert.deepEqual(tries, [429, 429, 429, 429, 200, 200]);
});

test("a share of the requests for priority is answered by the standard tier", async (t) => {
  const simulator = await simulatorFor(t, { priorityDowngrades: 0.5 });
  const tiers: string[] = [];
  for (let row = 0; row < 40; row += 1) {
    tiers.push(tierIn(await send(simulator, { body: chat(`${row}`, { service_tier: "priority" }) })));
  }
  const downgraded = tiers.filter((tier) => tier === "default").length;
  assert.ok(downgraded > 8 && downgraded < 32, `${downgraded}`);
  assert.equal(tierIn(await send(simulator, { body: chat("a", { service_tier: "flex" }) })), "flex");
});

test("a provider that asks for Flex is told that Flex has answered", async (t) => {
  const { url } = await simulatorFor(t);
  const provider = new OpenAICompatibleProvider({ baseURL: `${url}/v1`, model: "m", apiKey: "k", tier: "flex" });
  const json: JSONSchema = { type: "object", properties: { text: { type: "string" } }, required: ["text"] };
  const request = {
    messages: [{ role: "user", content: "Hello." }],
    schema: { name: "answer", json: { ...json, additionalProperties: false } },
    maxOutputTokens: 100,
    cacheKey: "k",
  } as const;
  const { usage } = await provider.complete(request, new AbortController().signal);
  assert.equal(usage.tier, "flex");
});
