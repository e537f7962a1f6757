import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline, type RunEvent, SummarizerStep } from "../src/index.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { AzureOpenAIProvider } from "../src/llm/providers/azure-openai.ts";
import {
  OpenAICompatibleProvider,
  type OpenAICompatibleProviderOptions,
} from "../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { completion, json, startChatServer } from "./support/chat-server.ts";
import { failsWith } from "./support/error-facts.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const server = await startChatServer();
const baseURL = `${server.origin}/v1`;
const prices = { inputPerMillion: 1, cachedInputPerMillion: 0, outputPerMillion: 0, currency: "USD" } as const;
const folder = temporaryFolder();
let count = 0;

const answer = completion({ role: "assistant", content: '{"reasoning":"So.","text":"Short."}' });
const usage = {
  prompt_tokens: 1_000_000,
  completion_tokens: 10,
  prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 400_000 },
};

/** Answers in the tier that was asked for, or in the one given. */
function answerIn(tier?: string): void {
  server.seen.length = 0;
  server.reply = (response, request) => {
    const asked = request.body["service_tier"] ?? "default";
    json(200, { ...answer, usage, service_tier: tier ?? asked })(response, request);
  };
}

async function run(
  options: Partial<OpenAICompatibleProviderOptions>,
  journalPath = join(folder, `${(count += 1)}.db`),
) {
  const events: RunEvent[] = [];
  const report = await new Pipeline<{ readonly id: string; readonly note: string }>({
    name: "tiers",
    source: new MemorySource({ rows: [{ id: "1", note: "A note." }], primaryKeyColumn: "id" }),
    llmProvider: new OpenAICompatibleProvider({ baseURL, model: "m", prices, ...options }),
    journal: new SQLiteJournal({ path: journalPath }),
    payloadLog: "off",
  })
    .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
    .to(
      new MemorySink({
        identity: `sink ${(count += 1)}`,
        columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text },
      }),
    )
    .run({ onEvent: (event) => void events.push(event) });
  return { report, events, journalPath };
}

test("what was asked online is found in Flex, and the other way round: the tier is no part of the key", async () => {
  const ways: readonly Partial<OpenAICompatibleProviderOptions>[] = [
    {},
    { tier: "flex" },
    { tier: "priority" },
    { tier: "default" },
    { extraBody: { service_tier: "scale" } },
  ];
  for (const first of ways) {
    answerIn();
    const { report, journalPath } = await run(first);
    assert.equal(report.usage.calls, 1);
    for (const second of ways) {
      const again = await run(second, journalPath);
      assert.deepEqual(
        [again.report.usage.calls, again.report.usage.reusedAnswers],
        [0, 1],
        JSON.stringify([first, second]),
      );
    }
  }
  const other = await run({ extraBody: { service_tier: "flex", seed: 1 } });
  const { journalPath } = other;
  assert.equal((await run({ extraBody: { seed: 1 } }, journalPath)).report.usage.calls, 0);
  assert.equal((await run({}, journalPath)).report.usage.calls, 1);
});

test("the tier is sent as asked, and nothing of it where it is not", async () => {
  answerIn();
  await run({});
  await run({ tier: "flex" });
  assert.deepEqual(
    server.seen.map(({ body }) => body["service_tier"]),
    [undefined, "flex"],
  );
});

test("an answer is paid at the price of the tier that answered, also where another one was asked for; what it cost stays known", async () => {
  answerIn();
  const flex = await run({ tier: "flex" });
  assert.deepEqual(flex.report.cost, { amount: 0.5, currency: "USD" });
  const end = flex.events.find((event) => event.type === "call-end");
  assert.partialDeepStrictEqual(end, { tier: "flex", cacheWriteTokens: 400_000, cost: 0.5 });
  const again = await run({}, flex.journalPath);
  assert.deepEqual(again.report.savedCost, { amount: 0.5, currency: "USD" });
  assert.partialDeepStrictEqual(
    again.events.find((event) => event.type === "answer-reuse"),
    { tier: "flex", cacheWriteTokens: 400_000, cost: 0.5 },
  );
  answerIn("default");
  assert.deepEqual((await run({ tier: "flex" })).report.cost, { amount: 1, currency: "USD" });
  answerIn("priority");
  const written = { ...prices, cacheWritePerMillion: 1.25, tierFactors: { priority: 2 } };
  assert.deepEqual((await run({ prices: written })).report.cost, { amount: 2 * (0.6 + 0.4 * 1.25), currency: "USD" });
});

test("a service's word for a tier that is none costs no answer", async () => {
  for (const tier of [null, 7, "", "x".repeat(200), { name: "flex" }, "Jane Doe"]) {
    server.reply = json(200, { ...answer, usage, service_tier: tier });
    const { report, events } = await run({});
    assert.equal(report.successCount, 1);
    assert.equal("tier" in (events.find((event) => event.type === "call-end") ?? {}), false, JSON.stringify(tier));
  }
});

test("Flex has 15 minutes for an attempt, unless an option says otherwise; wrong tiers are rejected", () => {
  const azure = { endpoint: "https://x.openai.azure.com", deployment: "d", apiKey: "k" } as const;
  assert.equal(new AzureOpenAIProvider({ ...azure, tier: "flex" }).timeoutMs, 900_000);
  assert.equal(new AzureOpenAIProvider({ ...azure, tier: "flex", timeoutMs: 5 }).timeoutMs, 5);
  assert.equal(new AzureOpenAIProvider({ ...azure, tier: "priority" }).timeoutMs, 60_000);
  const flex = new AzureOpenAIProvider({ ...azure, tier: "flex" });
  assert.equal(flex.fingerprint(), new AzureOpenAIProvider(azure).fingerprint());
  const rejected = (options: object): void => {
    assert.throws(() => new OpenAICompatibleProvider({ baseURL, model: "m", ...options }), failsWith("INVALID_OPTION"));
  };
  rejected({ tier: "cheap" });
  rejected({ tier: "flex", extraBody: { service_tier: "default" } });
});
