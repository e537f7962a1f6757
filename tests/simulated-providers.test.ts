import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createAzure } from "@ai-sdk/azure";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createOpenAICompatible as createOpenAICompatibleOfV6 } from "ai-sdk-6-openai-compatible";
import type { LLMProvider } from "../src/index.ts";
import { fromAiSdk } from "../src/llm/providers/ai-sdk.ts";
import { AzureOpenAIProvider } from "../src/llm/providers/azure-openai.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { providerContract } from "../src/testing/provider-contract.ts";
import { type AzureOpenAISimulator, startAzureOpenAISimulator } from "../src/testing/simulator/server.ts";

let simulator: AzureOpenAISimulator;
before(async () => {
  simulator = await startAzureOpenAISimulator({ apiKeys: ["key"], tokens: ["token"] });
});
after(async () => await simulator.close());

const v1 = (): string => `${simulator.url}/openai/v1`;
const azure = { apiKey: "key", deployment: "gpt" };
const compatible = { apiKey: "key", model: "org/model:8b" };

const providers: Readonly<Record<string, () => LLMProvider>> = {
  "AzureOpenAIProvider, v1": () => new AzureOpenAIProvider({ ...azure, endpoint: simulator.url }),
  "AzureOpenAIProvider, a token": () =>
    new AzureOpenAIProvider({ deployment: "gpt", endpoint: simulator.url, tokenProvider: async () => "token" }),
  "AzureOpenAIProvider, 2024-10-21": () =>
    new AzureOpenAIProvider({ ...azure, endpoint: simulator.url, apiVersion: "2024-10-21" }),
  "OpenAICompatibleProvider, strict": () => new OpenAICompatibleProvider({ ...compatible, baseURL: v1() }),
  "OpenAICompatibleProvider, json_object": () =>
    new OpenAICompatibleProvider({ ...compatible, baseURL: v1(), dialect: "json_object" }),
  "OpenAICompatibleProvider, none": () =>
    new OpenAICompatibleProvider({ ...compatible, baseURL: v1(), dialect: "none" }),
  "fromAiSdk, @ai-sdk/azure": () => fromAiSdk(createAzure({ baseURL: v1(), apiKey: "key" }).chat("gpt")),
  "fromAiSdk, @ai-sdk/openai-compatible": () =>
    fromAiSdk(
      createOpenAICompatible({ name: "sim", baseURL: v1(), apiKey: "key", supportsStructuredOutputs: true }).chatModel(
        "gpt",
      ),
    ),
  "fromAiSdk, @ai-sdk/openai-compatible of specification V3": () =>
    fromAiSdk(
      createOpenAICompatibleOfV6({
        name: "sim",
        baseURL: v1(),
        apiKey: "key",
        supportsStructuredOutputs: true,
      }).chatModel("gpt"),
    ),
};

for (const [name, create] of Object.entries(providers)) {
  describe(`${name} keeps the contract of a provider against the simulator`, () => {
    for (const { name: promise, check } of providerContract({ create })) test(promise, check);
  });
}

test("the simulator was really asked", () => {
  assert.ok((simulator.statistics().byStatus["200"] ?? 0) > 50);
});
