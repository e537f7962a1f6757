import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { Pipeline, ProviderError, SummarizerStep } from "../src/index.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { AzureOpenAIProvider } from "../src/llm/providers/azure-openai.ts";
import {
  OpenAICompatibleProvider,
  type OpenAICompatibleProviderOptions,
} from "../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { chatRequest, completion, json, never, type Reply, startChatServer } from "./support/chat-server.ts";
import { failsWith } from "./support/error-facts.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const server = await startChatServer();
const baseURL = `${server.origin}/v1`;
const prices = { inputPerMillion: 1, cachedInputPerMillion: 0, outputPerMillion: 0, currency: "USD" } as const;
const folder = temporaryFolder();
let count = 0;

const noRoom = json(429, {
  error: { message: "Resource Unavailable", type: "rate_limit_error", code: "resource_unavailable" },
});

/** An answer in the tier that was asked for. */
const answered: Reply = (response, request) => {
  const answer = completion({ content: '{"reasoning":"So.","text":"Short."}' });
  const usage = { prompt_tokens: 1_000_000, completion_tokens: 10 };
  json(200, { ...answer, usage, service_tier: request.body["service_tier"] ?? "default" })(response, request);
};

/** Replies by the number of the request, from 0, and its tier. */
function serve(replyTo: (number: number, tier: unknown) => Reply): void {
  server.seen.length = 0;
  server.reply = (response, request) =>
    replyTo(server.seen.length - 1, request.body["service_tier"])(response, request);
}

const tiers = (): unknown[] => server.seen.map(({ body }) => body["service_tier"]);

function pipelineIn(
  options: Partial<OpenAICompatibleProviderOptions>,
  { rows = 1, maxCost = Infinity, concurrency = 8, capacityTimeoutMs = 21_600_000 } = {},
) {
  const journalPath = join(folder, `${(count += 1)}.db`);
  const make = (own: Partial<OpenAICompatibleProviderOptions> = options) =>
    new Pipeline<{ readonly id: string; readonly note: string }>({
      name: "flex",
      source: new MemorySource({
        rows: Array.from({ length: rows }, (_, row) => ({ id: `${row}`, note: `Note ${row}.` })),
        primaryKeyColumn: "id",
      }),
      llmProvider: new OpenAICompatibleProvider({ baseURL, model: "m", prices, ...own }),
      journal: new SQLiteJournal({ path: journalPath }),
      payloadLog: "off",
      admission: { retryDelayMs: [1, 1], capacityTimeoutMs },
      concurrency,
      ...(maxCost < Infinity && { maxCost }),
    })
      .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
      .to(
        new MemorySink({
          identity: `sink ${(count += 1)}`,
          columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text },
        }),
      );
  return make;
}

const flexThenStandard = { tier: "flex", tierFallback: "default", tierFallbackMs: 30 } as const;

test("a call that finds no room in Flex goes again, and is paid at the price of Flex", async () => {
  serve((number) => (number === 0 ? noRoom : answered));
  const report = await pipelineIn({ tier: "flex" })().run();
  assert.deepEqual(
    [report.status, report.successCount, report.cost],
    ["completed", 1, { amount: 0.5, currency: "USD" }],
  );
  assert.deepEqual(tiers(), ["flex", "flex"]);
});

test("after its wait it goes in the standard tier, once, at that tier's price; its answer is found by both", async () => {
  serve((_, tier) => (tier === "flex" ? noRoom : answered));
  const make = pipelineIn(flexThenStandard);
  const report = await make().run();
  assert.deepEqual([report.successCount, report.cost], [1, { amount: 1, currency: "USD" }]);
  assert.deepEqual([tiers().at(0), tiers().at(-1)], ["flex", "default"]);
  assert.equal(tiers().filter((tier) => tier === "default").length, 1);
  for (const options of [flexThenStandard, { tier: "flex" }, {}] as const)
    assert.equal((await make(options).run()).usage.calls, 0);
});

test("what fails in the standard tier is tried again there; the next row begins in Flex", async () => {
  serve((number, tier) => (tier === "flex" && number < 3 ? noRoom : number === 1 ? json(500, {}) : answered));
  const report = await pipelineIn({ ...flexThenStandard, tierFallbackMs: 0 }, { rows: 2, concurrency: 1 })().run();
  assert.equal(report.successCount, 2);
  assert.deepEqual(tiers(), ["flex", "default", "default", "flex"]);
});

test("the cap holds where calls fall back: the worst case of each is that of the standard tier", async () => {
  let billed = 0;
  const dear = { ...prices, inputPerMillion: 1000 };
  serve((number, tier) => {
    if (tier === "flex" && number % 3 > 0) return noRoom;
    return (response, request) => {
      const tokens = Buffer.byteLength(request.text); // no body has more
      billed += (tokens / 1000) * (tier === "flex" ? 0.5 : 1);
      const answer = completion({ content: '{"reasoning":"So.","text":"Short."}' });
      json(200, { ...answer, usage: { prompt_tokens: tokens, completion_tokens: 10 }, service_tier: tier })(
        response,
        request,
      );
    };
  });
  const maxCost = 20;
  const options = { ...flexThenStandard, tierFallbackMs: 0, prices: dear };
  const report = await pipelineIn(options, { rows: 100, maxCost })().run();
  assert.deepEqual([report.exitCode, report.error?.code], [3, "LIMIT_REACHED"]);
  const { worstCase } = report.error?.facts ?? {};
  assert.ok(billed <= maxCost && billed > maxCost - Number(worstCase), `${billed} of ${maxCost}`);
});

test("a 400 of a model without Flex stops the run with one request, and says what to do; check --ping says the same", async () => {
  const reply = json(400, {
    error: { message: "Flex is not available for this model.", type: "invalid_request_error" },
  });
  serve(() => reply);
  const make = pipelineIn({ tier: "flex" }, { rows: 200 });
  const report = await make().run();
  assert.deepEqual(
    [report.exitCode, report.pendingCount, report.readCount],
    [3, report.readCount, report.pendingCount],
  );
  assert.equal(server.seen.length, 1);
  const { error } = report;
  assert.ok(error instanceof ProviderError);
  assert.equal(error.code, "TIER_UNAVAILABLE");
  assert.partialDeepStrictEqual(error.facts, { tier: "flex", where: "OpenAICompatibleProvider" });
  const { wouldRun, findings } = await make().check({ ping: true });
  assert.equal(wouldRun, false);
  const found = findings.find(({ area }) => area === "ping");
  assert.ok(found?.message.includes(error.message), found?.message);
});

test("another 400 in Flex is the row's until three rows have it", async () => {
  serve(() => json(400, { error: { message: "bad", type: "invalid_request_error" } }));
  const report = await pipelineIn({ tier: "flex" }, { rows: 20 })().run();
  assert.deepEqual([report.error?.code, report.exitCode, server.seen.length], ["BAD_REQUEST", 3, 3]);
});

test("without a fallback a run without room stops, resumable, and no row fails of it", async () => {
  serve(() => noRoom);
  const make = pipelineIn({ tier: "flex" }, { rows: 30, capacityTimeoutMs: 100 });
  const report = await make().run();
  assert.deepEqual([report.exitCode, report.error?.code], [3, "STALLED"]);
  assert.deepEqual([report.failureCount, report.pendingCount], [0, report.readCount]);
  assert.match(report.error?.message ?? "", /has no room for now/);
  serve(() => answered);
  assert.equal((await make().run()).successCount, 30);
});

describe("a run that is stopped ends at once, and its rows are pending,", () => {
  const stopped = async (reply: Reply, gracePeriodMs: number): Promise<void> => {
    serve(() => reply);
    const stop = new AbortController();
    const running = pipelineIn({ tier: "flex" }, { rows: 5 })().run({ signal: stop.signal, gracePeriodMs });
    while (server.seen.length === 0) await setTimeout(2);
    stop.abort();
    const report = await running;
    assert.deepEqual([report.status, report.pendingCount, report.failureCount], ["aborted", report.readCount, 0]);
  };
  test("while calls wait for room", async () => {
    await stopped(json(429, { error: { code: "resource_unavailable" } }, { "retry-after": "500" }), 50);
  });
  test("while an answer takes minutes", async () => await stopped(() => {}, 50));
});

describe("an attempt in Flex has 15 minutes, and none of the usual 60 s or of undici's 300 s stands in its way", () => {
  const cases = [
    ["in Flex", {}, undefined, 900_000],
    ["in Flex, of a model that reasons", { reasoning: true }, undefined, 900_000],
    ["in the standard tier, after the wait", {}, "default", 60_000],
    ["in the standard tier, of a model that reasons", { reasoning: true, maxReasoningTokens: 100 }, "default", 180_000],
    ["with a time limit of one's own", { timeoutMs: 5000 }, "default", 5000],
  ] as const;
  for (const [name, options, tier, timeoutMs] of cases) {
    test(name, async (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const seen: Dispatcher.DispatchOptions[] = [];
      const dispatch = (asked: Dispatcher.DispatchOptions) => seen.push(asked) > 0;
      const dispatcher = { dispatch } as unknown as Dispatcher; // all of it that is used
      const provider = new OpenAICompatibleProvider({ baseURL, model: "m", tier: "flex", ...options, dispatcher });
      let error: unknown;
      const asking = provider.complete({ ...chatRequest, tier }, never()).catch((thrown: unknown) => (error = thrown));
      assert.partialDeepStrictEqual(seen, [{ headersTimeout: 0, bodyTimeout: 0 }]);
      t.mock.timers.tick(timeoutMs - 1);
      await Promise.resolve();
      assert.equal(error, undefined);
      t.mock.timers.tick(1);
      await asking;
      failsWith("TIMEOUT")(error);
    });
  }
});

test("a fallback is Flex's alone, and wrong options are rejected by name", () => {
  const azure = { endpoint: "https://x.openai.azure.com", deployment: "d", apiKey: "k" } as const;
  const rejected = (options: object, where: string): void => {
    assert.throws(
      () => new OpenAICompatibleProvider({ baseURL, model: "m", ...options }),
      failsWith("INVALID_OPTION", { where }),
    );
    assert.throws(() => new AzureOpenAIProvider({ ...azure, ...options }), failsWith("INVALID_OPTION", { where }));
  };
  rejected({ tierFallback: "default" }, "tierFallback");
  rejected({ tier: "priority", tierFallback: "default" }, "tierFallback");
  rejected({ tier: "flex", tierFallback: "standard" }, "tierFallback");
  rejected({ tier: "flex", tierFallbackMs: 5 }, "tierFallbackMs");
  rejected({ tier: "flex", tierFallback: "none", tierFallbackMs: 5 }, "tierFallbackMs");
  rejected({ tier: "flex", tierFallback: "default", tierFallbackMs: -1 }, "tierFallbackMs");
  rejected({ tier: "flex", tierFallback: "default", tierFallbackMs: 2 ** 31 }, "tierFallbackMs");
  rejected({ tier: "flex", headers: { "X-MS-Service-Tier": "default" } }, "headers");
  const flex = new AzureOpenAIProvider({ ...azure, tier: "flex", tierFallback: "default" });
  assert.equal(flex.tierFallbackMs, 600_000);
  assert.equal(flex.fingerprint(), new AzureOpenAIProvider(azure).fingerprint());
  assert.equal(new AzureOpenAIProvider({ ...azure, tier: "flex", tierFallback: "none" }).tierFallbackMs, undefined);
  const own = new AzureOpenAIProvider({ ...azure, tier: "flex", tierFallback: "default", tierFallbackMs: 0 });
  assert.equal(own.tierFallbackMs, 0);
});
