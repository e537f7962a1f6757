import assert from "node:assert/strict";
import { test } from "node:test";
import { type Layer, Pipeline, SummarizerStep, wrapProvider } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { providerContract } from "../../src/testing/provider-contract.ts";
import { answer, rowCall } from "../support/row-call.ts";

const through: Layer = (next) => async (call) => await next(call);
const { request, signal } = rowCall();

for (const { name, check } of providerContract({ create: () => wrapProvider(new MockProvider(), through) })) {
  test(`wrapped: ${name}`, check);
}

test("it is the provider's twin, but for the fingerprint of a layer that changes answers", () => {
  const prices = { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency: "EUR" };
  const quota = { rpm: 60 };
  const listing = { seller: "openai", model: "gpt-4o" };
  const provider = { ...new MockProvider({ prices }), prices, listing, quota, requirements: { environment: [] } };
  const wrapped = wrapProvider(provider, through);
  assert.deepEqual(
    [wrapped.name, wrapped.prices, wrapped.listing, wrapped.quota, wrapped.requirements, wrapped.fingerprint()],
    [provider.name, prices, listing, quota, provider.requirements, provider.fingerprint()],
  );
  const other = wrapProvider(provider, through, { fingerprint: "shorter" }).fingerprint();
  assert.deepEqual(JSON.parse(other), [provider.fingerprint(), "shorter"]);
});

test("a layer may answer itself, change the request, and look at the answer", async () => {
  const sent: number[] = [];
  const provider = new MockProvider({ responses: ({ maxOutputTokens }) => (sent.push(maxOutputTokens), "{}") });
  const silent = wrapProvider(provider, () => async () => answer);
  assert.equal(await silent.complete(request, signal), answer);
  const shorter: Layer = (next) => async (call) => {
    const given = await next({ ...call, request: { ...call.request, maxOutputTokens: 7 } });
    return { ...given, model: "other" };
  };
  assert.equal((await wrapProvider(provider, shorter).complete(request, signal)).model, "other");
  assert.deepEqual(sent, [7]);
});

test("in a run a layer knows the step and the row of a call, and outside of one both are blank", async () => {
  const subjects: string[] = [];
  const observing: Layer = (next) => async (call) => {
    subjects.push(`${call.step}/${call.pk}`);
    return await next(call);
  };
  const inner = wrapProvider(new MockProvider(), observing);
  await inner.complete(request, signal);
  const report = await run(wrapProvider(inner, through));
  assert.equal(report.successCount, 2);
  assert.deepEqual(subjects.toSorted(), ["/", "short/1", "short/2"]);
});

test("a layer that throws fails its row, as a provider that throws, and the others go on", async () => {
  const report = await run(
    wrapProvider(new MockProvider(), (next) => async (call) => {
      if (call.pk === "1") throw new TypeError("a bug");
      return await next(call);
    }),
  );
  assert.deepEqual([report.successCount, report.failuresByCode], [1, { PROVIDER_FAILED: 1 }]);
});

async function run(llmProvider: MockProvider | ReturnType<typeof wrapProvider>) {
  const rows = ["1", "2"].map((id) => ({ id, note: `Note ${id}. It is long.` }));
  return await new Pipeline<{ readonly id: string; readonly note: string }>({
    name: "wrapped",
    source: new MemorySource({ rows, primaryKeyColumn: "id" }),
    llmProvider,
    onRowError: "skip",
    journal: "off",
    payloadLog: "off",
  })
    .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text }, mergeKeys: ["id"] }))
    .run();
}
