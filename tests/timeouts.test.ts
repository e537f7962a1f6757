import assert from "node:assert/strict";
import { test } from "node:test";
import { Pipeline, type PipelineOptions, TransformStep } from "../src/index.ts";
import { fromAiSdk } from "../src/llm/providers/ai-sdk.ts";
import { AzureOpenAIProvider } from "../src/llm/providers/azure-openai.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { SQLServerSink } from "../src/sinks/sql-server.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { startAzureOpenAISimulator } from "../src/testing/simulator/server.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { failsWith } from "./support/error-facts.ts";

const columnMap = { id: (s: { pk: string }) => s.pk };

function pipelineWith(options: Partial<PipelineOptions<{ id: string }>> = {}) {
  const source = new MemorySource<{ id: string }>({ rows: [], primaryKeyColumn: "id" });
  return new Pipeline<{ id: string }>({
    name: "t",
    source,
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLog: "off",
    ...options,
  })
    .step(new TransformStep({ name: "work", outputKey: "work", transform: () => 1 }))
    .to(new MemorySink({ columnMap }));
}

const model = {
  specificationVersion: "v3",
  provider: "p",
  modelId: "m",
  doGenerate: async () => await Promise.reject(new Error("no")),
};

/** Every option that a timer is set by, with what is given one too long. */
const makers: Readonly<Record<string, (ms: number) => unknown>> = {
  flushIntervalMs: (ms) => pipelineWith({ flushIntervalMs: ms }),
  openTimeoutMs: (ms) => pipelineWith({ openTimeoutMs: ms }),
  closeTimeoutMs: (ms) => pipelineWith({ closeTimeoutMs: ms }),
  stallTimeoutMs: (ms) => pipelineWith({ admission: { stallTimeoutMs: ms } }),
  capacityTimeoutMs: (ms) => pipelineWith({ admission: { capacityTimeoutMs: ms } }),
  tierFallbackMs: (ms) => new AzureOpenAIProvider({ tier: "flex", tierFallback: "default", tierFallbackMs: ms }),
  retryDelayMs: (ms) => pipelineWith({ admission: { retryDelayMs: [1, ms] } }),
  probeDelayMs: (ms) => pipelineWith({ admission: { probeDelayMs: [1, ms] } }),
  "timeoutMs of Azure OpenAI": (ms) => new AzureOpenAIProvider({ timeoutMs: ms }),
  "timeoutMs of other services": (ms) =>
    new OpenAICompatibleProvider({ baseURL: "https://a.example/v1", model: "m", timeoutMs: ms }),
  "timeoutMs of the AI SDK": (ms) => fromAiSdk(model, { timeoutMs: ms }),
  sinkTimeoutMs: (ms) => new SQLServerSink({ targetTable: "t", mergeKeys: ["id"], columnMap, sinkTimeoutMs: ms }),
  latencyMs: (ms) => new MockProvider({ latencyMs: ms }),
};

for (const [name, make] of Object.entries(makers)) {
  test(`${name}: a time that no timer can wait is rejected, for it would be over at once`, () => {
    const [where = ""] = name.split(" ");
    for (const ms of [2 ** 31, 2 ** 40]) assert.throws(() => make(ms), failsWith("INVALID_OPTION", { where }));
    make(2 ** 31 - 1);
  });
}

test("latencyMs of the simulator: likewise", async () => {
  await assert.rejects(
    startAzureOpenAISimulator({ latencyMs: 2 ** 31 }),
    failsWith("INVALID_OPTION", { where: "latencyMs" }),
  );
});

test("gracePeriodMs: likewise, when the run begins", async () => {
  await assert.rejects(
    pipelineWith().run({ gracePeriodMs: 2 ** 31 }),
    failsWith("INVALID_OPTION", { where: "gracePeriodMs" }),
  );
});
