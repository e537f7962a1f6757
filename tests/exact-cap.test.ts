import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type LLMProvider,
  type LLMRequest,
  Pipeline,
  ProviderError,
  type RunReport,
  SummarizerStep,
} from "../src/index.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { trialPrices } from "./support/capped-run.ts";
import { finishedBill } from "./support/finished-bill.ts";
import { randomNumbers } from "./support/random-numbers.ts";
import { simulatorFor } from "./support/simulator.ts";

/** A service that keeps its own bill, and fails in ways that a client can't see through: after it has charged, say. */
class Service {
  /** In the currency of the prices. */
  bill = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get provider(): LLMProvider {
    const { name, fingerprint } = new MockProvider();
    return {
      name,
      fingerprint,
      prices: trialPrices,
      requestBytes: bytesOf,
      complete: async (request) => await this.#complete(request),
    };
  }

  async #complete(request: LLMRequest): ReturnType<LLMProvider["complete"]> {
    const random = this.#random;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 3 * random());
    });
    const luck = random();
    if (luck < 0.04) throw new ProviderError("transient", "RATE_LIMITED", "429", { status: 429, retryAfterMs: 1 });
    if (luck < 0.06) throw new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500 });
    const inputTokens = Math.ceil(bytesOf(request) * (0.15 + 0.3 * random()));
    const outputTokens = Math.ceil(request.maxOutputTokens * random() ** 2);
    const cacheWriteTokens = Math.floor(inputTokens * random());
    const usage = { inputTokens, cachedTokens: 0, cacheWriteTokens, outputTokens, reasoningTokens: 0 };
    this.bill += ((inputTokens - cacheWriteTokens) * 2 + cacheWriteTokens * 2.5 + outputTokens * 8) / 1_000_000;
    if (luck < 0.1) throw new ProviderError("transient", "NETWORK_ERROR", "reset after it was charged");
    const text = JSON.stringify({ reasoning: "So.", text: "Short." });
    if (luck < 0.14) return { text: text.slice(0, 9), finishReason: "length", model: "m", usage };
    if (luck < 0.2) return { text, finishReason: "stop", model: "m", usage: undefined as never }; // as some services leave it out
    if (luck < 0.25) return { text: "{}", finishReason: "stop", model: "m", usage };
    return { text, finishReason: "stop", model: "m", usage };
  }
}

function bytesOf({ messages, schema }: LLMRequest): number {
  return Buffer.byteLength(JSON.stringify([messages, schema]));
}

interface Note {
  readonly id: string;
  readonly note: string;
}

const rows: readonly Note[] = Array.from({ length: 400 }, (_, index) => ({
  id: `${index}`,
  note: `Note ${index}. `.repeat(1 + (index % 40)),
}));

/** Summarizes all rows, 256 at a time at most. */
async function summarize(llmProvider: LLMProvider, maxCost: number, maxOutputTokens: number): Promise<RunReport> {
  return await new Pipeline<Note>({
    name: "capped",
    source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
    llmProvider,
    concurrency: 256,
    admission: { retryDelayMs: [1, 2] },
    maxCost,
    onRowError: "skip",
    maxRowErrors: "never",
    payloadLog: "off",
    journal: "off",
  })
    .step(
      new SummarizerStep({ name: "short", maxOutputTokens, inputMap: { text: (s) => s.raw.note }, outputKey: "short" }),
    )
    .to(new MemorySink({ columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text } }))
    .run();
}

test("the service's own bill is never above the cap, with 256 calls in flight, resets after charging, missing usage and cut answers", async () => {
  const random = randomNumbers(20);
  let stoppedCount = 0;
  for (let run = 0; run < 12; run += 1) {
    const maxCost = run % 4 === 3 ? 20 : 0.02 * 10 ** (1.5 * random());
    const service = new Service(random);
    const { error } = await summarize(service.provider, maxCost, 300);
    assert.ok(service.bill <= maxCost, `${service.bill} of ${maxCost}`);
    if (error === null) continue;
    assert.equal(error.code, "LIMIT_REACHED", error.message);
    stoppedCount += 1;
    const { spent, worstCase } = error.facts;
    assert.ok(
      maxCost - Number(spent) < Number(worstCase),
      `${Number(spent)} of ${maxCost} used, and ${Number(worstCase)} was not there`,
    );
  }
  assert.equal(stoppedCount, 9);
});

test("the tier and the limit of tokens that headers and fields of the user's own ask for count, too", async (t) => {
  for (const own of [
    { extraBody: { service_tier: "priority" } },
    { headers: { "X-MS-Service-Tier": "priority" } },
    { extraBody: { max_tokens: 3000 } },
    { extraBody: { max_completion_tokens: 3000 }, tier: "flex" },
  ] as const) {
    // The first call, which goes alone, gives no hint: others have the longest answers.
    const simulator = await simulatorFor(t, {
      prices: trialPrices,
      latencyMs: 5,
      fault: ({ number }) => (number > 1 ? "prose" : undefined),
    });
    const baseURL = `${simulator.url}/v1`;
    const provider = new OpenAICompatibleProvider({ baseURL, apiKey: "k", model: "m", prices: trialPrices, ...own });
    const maxCost = 0.1;
    const { error } = await summarize(provider, maxCost, 1000);
    assert.equal(error?.code, "LIMIT_REACHED");
    const { cost, completionTokens } = await finishedBill(simulator);
    assert.ok(completionTokens > 0 && cost !== null && cost <= maxCost, `${cost} with ${JSON.stringify(own)}`);
  }
});
