import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { calcPrice } from "@pydantic/genai-prices";
import {
  type LLMProvider,
  Pipeline,
  type RunEvent,
  type RunOptions,
  SummarizerStep,
  wrapProvider,
} from "../src/index.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { fromAiSdk } from "../src/llm/providers/ai-sdk.ts";
import { AzureOpenAIProvider, type AzureOpenAIProviderOptions } from "../src/llm/providers/azure-openai.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { randomNumbers } from "./support/random-numbers.ts";
import { completion, json, startChatServer } from "./support/chat-server.ts";
import { failsWith } from "./support/error-facts.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const server = await startChatServer();
const folder = temporaryFolder();
const source = "@pydantic/genai-prices 0.1.8";
let count = 0;

const million = { prompt_tokens: 1_000_000, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 0 } };
const content = '{"reasoning":"So.","text":"Short."}';

/** Answers each call as the next of these models, then as the last of them; null leaves the model out. */
function answerAs(...models: readonly unknown[]): void {
  server.seen.length = 0;
  server.reply = (response, request) => {
    const model = models[Math.min(server.seen.length, models.length) - 1];
    const body = { ...completion({ role: "assistant", content }), usage: million, model };
    json(200, body)(response, request);
  };
}

/** Azure as it is, but for where requests go. */
function azure(options: AzureOpenAIProviderOptions = {}): LLMProvider {
  return new AzureOpenAIProvider({ endpoint: server.origin, apiKey: "key", deployment: "visits", ...options });
}

/** The same, with the place in a list that a deployment in the cloud has. */
function inCloud(options: AzureOpenAIProviderOptions = {}): LLMProvider {
  const { deployment = "visits" } = options;
  const cloud = new AzureOpenAIProvider({ endpoint: "https://visits.openai.azure.com", apiKey: "key", deployment });
  return { ...twin(azure(options)), listing: cloud.listing };
}

function twin(provider: LLMProvider): LLMProvider {
  return wrapProvider(provider, (next) => async (call) => await next(call));
}

interface Given extends RunOptions {
  readonly provider: LLMProvider;
  readonly second?: LLMProvider;
  readonly notes?: readonly string[];
  readonly journalPath?: string;
}

function pipelineOf({ provider, second, notes = ["A note."], journalPath, maxCost }: Given) {
  const path = journalPath ?? join(folder, `${(count += 1)}.db`);
  const logPath = join(folder, `${(count += 1)}.jsonl`);
  const rows = notes.map((note, index) => ({ id: `${index}`, note }));
  const own = second === undefined ? {} : { llmProvider: second };
  const pipeline = new Pipeline<{ readonly id: string; readonly note: string }>({
    name: "listed",
    source: new MemorySource({ rows, primaryKeyColumn: "id" }),
    llmProvider: provider,
    journal: new SQLiteJournal({ path }),
    payloadLogPath: logPath,
    concurrency: 1,
    maxCost,
  })
    .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
    .step(
      new SummarizerStep({
        name: "long",
        ...own,
        inputMap: { text: (s) => `${s.raw.note} Again.` },
        outputKey: "long",
      }),
    )
    .to(new MemorySink({ identity: `sink ${(count += 1)}`, columnMap: { id: (s) => s.pk } }));
  return { pipeline, path, logPath };
}

async function run(given: Given) {
  const { provider: _, second: __, notes: ___, journalPath: ____, ...options } = given;
  const { pipeline, path, logPath } = pipelineOf(given);
  const events: RunEvent[] = [];
  const report = await pipeline.run({ ...options, onEvent: (event) => void events.push(event) });
  const reader = await new SQLiteJournal({ path }).reader();
  const [saved] = (await reader?.runs.list({ limit: 1 }))?.items ?? [];
  await reader?.close();
  const log = (await readFile(logPath, "utf8").catch(() => "")).trim().split("\n");
  const listed = events.flatMap((event) => (event.type === "list-price" ? [event] : []));
  return {
    report,
    events,
    listed,
    saved,
    path,
    log: log.filter((line) => line !== "").map((line) => JSON.parse(line)),
  };
}

test("the model of the first answer gives the price: none is told before, and all figures of the run are right after", async () => {
  answerAs("gpt-4.1-mini-2025-04-14");
  const { report, events, listed, saved, log } = await run({ provider: inCloud(), notes: ["One.", "Two."] });
  assert.equal(report.error, null);
  const [start] = events;
  assert.equal(start?.type === "run-start" && start.currency, null);
  assert.deepEqual(report.cost, { amount: 1.600064, currency: "USD" });
  assert.equal(report.priceSource, source);
  assert.equal(report.unlistedModels, undefined);
  assert.equal(report.usage.unpricedCalls, undefined);
  assert.deepEqual(
    listed.map(({ provider, model, source: from, prices }) => [
      provider,
      model,
      from,
      prices?.inputPerMillion,
      prices?.currency,
    ]),
    [["azure-openai", "gpt-4.1-mini-2025-04-14", source, 0.4, "USD"]],
  );
  const kinds = events.map(({ type }) => type);
  assert.ok(kinds.indexOf("list-price") < kinds.indexOf("call-end"));
  assert.deepEqual(
    events.flatMap((event) => (event.type === "call-end" ? [event.cost] : [])),
    [0.400016, 0.400016, 0.400016, 0.400016],
  );
  assert.deepEqual(
    log.map(({ cost }) => cost),
    Array.from({ length: 4 }, () => ({ amount: 0.400016, currency: "USD" })),
  );
  assert.deepEqual(saved?.figures.cost, report.cost);
  assert.equal(saved?.figures.priceSource, source);
  assert.deepEqual(
    saved?.steps.map(({ cost }) => cost),
    [
      { amount: 0.800032, currency: "USD" },
      { amount: 0.800032, currency: "USD" },
    ],
  );
});

test("an answer of a model that no list has has no cost, and that is said; in one run with others it is counted apart", async () => {
  answerAs("gpt-99");
  const alone = await run({ provider: inCloud() });
  assert.equal(alone.report.cost, null);
  assert.deepEqual(alone.report.unlistedModels, ["gpt-99"]);
  assert.equal(alone.report.priceSource, undefined);
  assert.deepEqual(
    alone.listed.map(({ model, prices }) => [model, prices]),
    [["gpt-99", null]],
  );
  answerAs("gpt-99", "gpt-4.1-mini-2025-04-14");
  const mixed = await run({ provider: inCloud() });
  assert.deepEqual(mixed.report.cost, { amount: 0.400016, currency: "USD" });
  assert.equal(mixed.report.usage.unpricedCalls, 1);
  assert.deepEqual(
    mixed.saved?.steps.map(({ cost }) => cost?.amount),
    [undefined, 0.400016],
  );
});

test("the name of a deployment is not taken for a model, whatever an answer leaves out", async () => {
  for (const model of [undefined, null, "", "  ", 7, { name: "gpt-4o" }, "gpt-4o"]) {
    answerAs(model);
    const { report, listed } = await run({ provider: inCloud({ deployment: "gpt-4o" }) });
    assert.equal(report.error, null);
    assert.equal(report.cost, null, JSON.stringify(model));
    assert.deepEqual(listed, []);
    const named = await run({ provider: azure({ deployment: "gpt-4o", model: "gpt-4.1-mini" }) });
    assert.deepEqual(named.report.cost, { amount: 0.800032, currency: "USD" });
    assert.equal(named.report.unlistedModels, undefined);
  }
});

test("with model the price is known from the start, and maxCost holds; an answer of a dearer model counts with its own price", async () => {
  answerAs("gpt-4.1-mini-2025-04-14");
  const { events, listed, report } = await run({ provider: azure({ model: "gpt-4.1-mini" }), maxCost: 5 });
  assert.deepEqual(
    events.slice(0, 2).map(({ type }) => type),
    ["run-start", "list-price"],
  );
  assert.equal(listed[0]?.model, "gpt-4.1-mini");
  assert.deepEqual(report.cost, { amount: 0.800032, currency: "USD" });
  answerAs("gpt-5.5-2026-04-23");
  const dearer = await run({ provider: azure({ model: "gpt-4.1-mini" }), maxCost: 5 });
  assert.equal(dearer.report.error?.code, "LIMIT_REACHED");
  assert.deepEqual(dearer.report.cost, { amount: 10.00045, currency: "USD" }, "one call, at the price for long inputs");
  answerAs("gpt-99");
  const unknown = await run({ provider: azure({ model: "gpt-4.1-mini" }), maxCost: 5 });
  assert.equal(unknown.report.error, null);
  assert.deepEqual(unknown.report.unlistedModels, ["gpt-99"]);
  assert.equal(unknown.report.usage.unpricedCalls, 2);
  assert.equal(unknown.report.cost, null);
});

test("model is neither sent nor part of the fingerprint: answers are found that were asked for without it", async () => {
  assert.equal(azure({ model: "gpt-4.1-mini" }).fingerprint(), azure().fingerprint());
  answerAs("gpt-5-2025-08-07", "gpt-4.1-mini-2025-04-14");
  const first = await run({ provider: azure() });
  assert.equal(first.report.cost, null, "a service on this machine is in no list");
  const again = await run({ provider: azure({ model: "gpt-4.1-mini" }), journalPath: first.path });
  assert.deepEqual([again.report.usage.calls, again.report.usage.reusedAnswers], [0, 2]);
  assert.deepEqual(again.report.cost, { amount: 0, currency: "USD" });
  assert.deepEqual(
    again.report.savedCost,
    { amount: 1.25 + 0.0001 + 0.400016, currency: "USD" },
    "by the model stored with each answer",
  );
  assert.ok(server.seen.every(({ text }) => !text.includes("gpt-4.1-mini")));
});

test("before the model is known maxCost is rejected, by run and check alike, and nothing is asked", async () => {
  answerAs("gpt-4.1-mini-2025-04-14");
  const unknown = [
    inCloud({ deployment: "gpt-4o" }),
    azure({ deployment: "gpt-4o" }),
    azure({ model: "gpt-99" }),
    new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "gpt-4o" }),
    new OpenAICompatibleProvider({ baseURL: "https://gateway.example/v1", model: "gpt-4o" }),
  ];
  for (const provider of unknown) {
    await assert.rejects(run({ provider, maxCost: 5 }), failsWith("INVALID_OPTION", { where: "maxCost" }));
    const { findings } = await pipelineOf({ provider, maxCost: 5 }).pipeline.check();
    const found = findings.find(({ subject }) => subject === "prices");
    assert.deepEqual([found?.status, found?.code, found?.facts?.where], ["problem", "INVALID_OPTION", "maxCost"]);
  }
  assert.equal(server.seen.length, 0);
});

test("the bill by list prices is never above the cap, with long inputs, written cache and calls in flight", async () => {
  const random = randomNumbers(69);
  const { name, fingerprint } = azure();
  for (let round = 0; round < 6; round += 1) {
    let bill = 0;
    const maxCost = 0.5 + 4 * random();
    const provider: LLMProvider = {
      name,
      fingerprint,
      listing: { seller: "azure", model: "gpt-5.6-luna" },
      requestBytes: () => 600_000,
      complete: async ({ maxOutputTokens }) => {
        await new Promise<void>((resolve) => {
          setTimeout(resolve, 3 * random());
        });
        const inputTokens = Math.ceil(600_000 * random());
        const cacheWriteTokens = Math.floor(inputTokens * random());
        const outputTokens = Math.ceil(maxOutputTokens * random());
        const counts = { input_tokens: inputTokens, cache_write_tokens: cacheWriteTokens, output_tokens: outputTokens };
        bill += calcPrice(counts, "gpt-5.6-luna", { providerId: "azure" })?.total_price ?? NaN;
        const usage = { inputTokens, cachedTokens: 0, cacheWriteTokens, outputTokens, reasoningTokens: 0 };
        return { text: content, finishReason: "stop", model: "gpt-5.6-luna-2026-07-30", usage };
      },
    };
    const notes = Array.from({ length: 60 }, (_, index) => `Note ${index}.`);
    const { report } = await run({ provider, notes, maxCost, concurrency: 32 });
    assert.ok(bill <= maxCost, `${bill} of ${maxCost}`);
    assert.ok(bill > maxCost - 0.4, `${bill} of ${maxCost}: less than one call's worst case is left`);
    assert.equal(report.error?.code, "LIMIT_REACHED");
    assert.ok(Math.abs((report.cost?.amount ?? NaN) - bill) < 1e-9);
  }
});

test("check says whose list prices hold, or why none do", async () => {
  const found = async (given: Given) => {
    const { findings } = await pipelineOf(given).pipeline.check();
    return findings.flatMap(({ subject, status, message }) =>
      subject.startsWith("prices") ? [`${subject} ${status}: ${message}`] : [],
    );
  };
  const none = "prices ok: none given, so what a run costs is not known";
  assert.deepEqual(await found({ provider: azure({ model: "gpt-4.1-mini" }) }), [
    `prices ok: list prices of ${source} for gpt-4.1-mini`,
  ]);
  assert.deepEqual(await found({ provider: azure() }), [none]);
  const { length } = await found({ provider: inCloud() });
  assert.equal(length, 2);
  const euros = { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency: "EUR" };
  const [currency, mixed] = await found({
    provider: azure({ prices: euros }),
    second: azure({ model: "gpt-4.1-mini" }),
  });
  assert.equal(currency, "prices ok: EUR");
  assert.match(mixed ?? "", /USD.*EUR/);
});

test("beside prices in euros a provider without own ones has no cost, and the calls that are left out are counted", async () => {
  answerAs("gpt-4.1-mini-2025-04-14");
  const euros = { inputPerMillion: 3, cachedInputPerMillion: 1, outputPerMillion: 1, currency: "EUR" };
  const { report, listed, saved } = await run({
    provider: azure({ prices: euros }),
    second: azure({ model: "gpt-4.1-mini" }),
  });
  assert.equal(report.error, null);
  assert.deepEqual(report.cost, { amount: 3.00001, currency: "EUR" });
  assert.equal(report.usage.unpricedCalls, 1);
  assert.equal(report.priceSource, undefined);
  assert.deepEqual(listed, []);
  assert.deepEqual(
    saved?.steps.map(({ cost }) => cost),
    [{ amount: 3.00001, currency: "EUR" }, null],
  );
});

test("a preview is counted by list prices, too", async () => {
  answerAs("gpt-4.1-mini-2025-04-14");
  const report = await pipelineOf({ provider: inCloud() }).pipeline.preview({ rows: 1 });
  assert.deepEqual([report.cost, report.priceSource], [{ amount: 0.800032, currency: "USD" }, source]);
});

test("each kind of provider tells its place in a list: by its address, or by the AI SDK's name where that is clear", () => {
  const listingAt = (baseURL: string) =>
    new OpenAICompatibleProvider({ baseURL, model: "gpt-4o", apiKey: "key" }).listing;
  assert.deepEqual(listingAt("https://api.openai.com/v1/"), { seller: "https://api.openai.com/v1", model: "gpt-4o" });
  for (const local of ["http://localhost:11434/v1", "http://127.0.0.1:1/v1", "http://[::1]:1/v1"])
    assert.equal(listingAt(local), undefined);
  const endpoint = "https://visits.openai.azure.com/";
  const deployed = new AzureOpenAIProvider({ endpoint, apiKey: "key", deployment: "gpt-4o" });
  assert.deepEqual(deployed.listing, { seller: "https://visits.openai.azure.com", deployment: "gpt-4o" });
  assert.deepEqual(twin(deployed).listing, deployed.listing, "a wrapped provider keeps it");
  const sdk = (provider: string) =>
    fromAiSdk({
      specificationVersion: "v4",
      provider,
      modelId: "gpt-4o",
      doGenerate: async () => await Promise.resolve({}),
    }).listing;
  assert.deepEqual(sdk("openai.responses"), { seller: "openai", model: "gpt-4o" });
  assert.deepEqual(sdk("google.generative-ai"), { seller: "google", model: "gpt-4o" });
  assert.deepEqual(sdk("azure.chat"), { seller: "azure", deployment: "gpt-4o" });
  for (const unclear of ["my-gateway.chat", "google.vertex.chat", "constructor", "", "ollama"])
    assert.equal(sdk(unclear), undefined);
});
