import assert from "node:assert/strict";
import { test } from "node:test";
import { Fingerprints } from "../../../src/llm/call/fingerprint.ts";
import { AzureOpenAIProvider } from "../../../src/llm/providers/azure-openai.ts";
import type { JSONSchema } from "../../../src/json/json-schema.ts";
import type { LLMProvider, LLMRequest } from "../../../src/contracts/provider.ts";
import { MockProvider } from "../../../src/llm/providers/mock.ts";
import { OpenAICompatibleProvider } from "../../../src/llm/providers/openai-compatible.ts";

const provider = new MockProvider();

function request(changes: Partial<LLMRequest> = {}): LLMRequest {
  return {
    messages: [
      { role: "system", content: "Classify." },
      { role: "user", content: "<text>\nA stolen card\n</text>" },
    ],
    schema: { name: "visit", json: { type: "object", properties: { kind: { type: "string", enum: ["a", "b"] } } } },
    temperature: 0,
    maxOutputTokens: 256,
    cacheKey: "visits.classify.0123456789abcdef",
    ...changes,
  };
}

/** Of one run each, as a fresh one would make it. */
function fingerprint(changes: Partial<LLMRequest> = {}, asked: LLMProvider = provider): string {
  return new Fingerprints().of(asked, request(changes));
}

const [system, user] = request().messages;
assert.ok(system !== undefined && user !== undefined);
const properties: Record<string, JSONSchema> = { kind: { type: "string", enum: ["a", "b"] } };

const ingredients: Readonly<Record<string, Partial<LLMRequest>>> = {
  "the system message": { messages: [{ ...system, content: "Classify it." }, user] },
  "the user message": { messages: [system, { ...user, content: "<text>\nA lost card\n</text>" }] },
  "a role": { messages: [system, { ...user, role: "assistant" }] },
  "the role of the first message": { messages: [{ ...system, role: "user" }, user] },
  "a further message": { messages: [system, user, { role: "assistant", content: "{}" }] },
  "where one message ends and the next begins": {
    messages: [
      { ...system, content: "Classify.<text>" },
      { ...user, content: "\nA stolen card\n</text>" },
    ],
  },
  "the order of messages": { messages: [user, system] },
  "no message": { messages: [] },
  "the schema's name": { schema: { ...request().schema, name: "visits" } },
  "a field of the schema": {
    schema: { name: "visit", json: { type: "object", properties: { ...properties, note: { type: "string" } } } },
  },
  "a value of the schema": {
    schema: { name: "visit", json: { type: "object", properties: { kind: { type: "string", enum: ["a", "c"] } } } },
  },
  "a description in the schema": {
    schema: { name: "visit", json: { type: "object", description: "A visit", properties } },
  },
  "the order of the schema's values": {
    schema: { name: "visit", json: { type: "object", properties: { kind: { type: "string", enum: ["b", "a"] } } } },
  },
  "the temperature": { temperature: 0.1 },
  "no temperature": { temperature: undefined },
  "the most tokens": { maxOutputTokens: 512 },
  "the factor of a longer answer": { lengthFactor: 2 },
};

for (const [what, change] of Object.entries(ingredients)) {
  test(`another fingerprint for: ${what}`, () => {
    assert.notEqual(fingerprint(change), fingerprint());
  });
}

test("no two of these changes have the same fingerprint", () => {
  const all = Object.values(ingredients).map((change) => fingerprint(change));
  assert.equal(new Set(all).size, all.length);
});

test("a fingerprint is a SHA-256 in hexadecimal digits, the same in every run and for every object of the same content", () => {
  assert.match(fingerprint(), /^[0-9a-f]{64}$/);
  assert.equal(fingerprint(), fingerprint({}, new MockProvider()));
  const one = new Fingerprints();
  assert.equal(one.of(provider, request()), one.of(provider, request()));
  assert.equal(one.of(provider, request()), fingerprint());
});

test("the cache key, and a length factor of one, change nothing", () => {
  assert.equal(fingerprint({ cacheKey: "another" }), fingerprint());
  assert.equal(fingerprint({ lengthFactor: 1 }), fingerprint());
});

test("what is remembered of one schema and system message is not taken for that of another", () => {
  const shared = new Fingerprints();
  const { schema } = request(); // one object for requests with different beginnings
  const changes = [
    { schema },
    { ...ingredients["the system message"], schema },
    { schema: { ...schema, name: "other" } },
  ];
  for (const change of [...changes, ...changes.toReversed(), ...Object.values(ingredients)]) {
    assert.equal(shared.of(provider, request(change)), fingerprint(change));
  }
  const other = new MockProvider({ seed: 2 });
  assert.equal(shared.of(other, request()), fingerprint({}, other));
});

test("a provider is asked for its fingerprint once in a run", () => {
  let count = 0;
  const counting: LLMProvider = { ...provider, name: "counting", fingerprint: () => `${(count += 1)}` };
  const fingerprints = new Fingerprints();
  assert.equal(fingerprints.of(counting, request()), fingerprints.of(counting, request()));
  assert.equal(count, 1);
});

const azure = { endpoint: "https://one.openai.azure.com", deployment: "gpt", apiKey: "key" } as const;
const compatible = { baseURL: "https://models.example/v1", model: "llama", apiKey: "key" } as const;

/** Providers that may answer otherwise than the first of their kind. */
const others: Readonly<Record<string, readonly [LLMProvider, LLMProvider]>> = {
  "another mock model": [provider, new MockProvider({ model: "mock-2" })],
  "another mock seed": [provider, new MockProvider({ seed: 2 })],
  "another endpoint": [
    new AzureOpenAIProvider(azure),
    new AzureOpenAIProvider({ ...azure, endpoint: "https://two.openai.azure.com" }),
  ],
  "another deployment": [new AzureOpenAIProvider(azure), new AzureOpenAIProvider({ ...azure, deployment: "gpt-2" })],
  "another API version": [
    new AzureOpenAIProvider(azure),
    new AzureOpenAIProvider({ ...azure, apiVersion: "2024-10-21" }),
  ],
  "a model that reasons": [new AzureOpenAIProvider(azure), new AzureOpenAIProvider({ ...azure, reasoning: true })],
  "another effort of reasoning": [
    new AzureOpenAIProvider({ ...azure, reasoningEffort: "low" }),
    new AzureOpenAIProvider({ ...azure, reasoningEffort: "high" }),
  ],
  "another dialect": [new AzureOpenAIProvider(azure), new AzureOpenAIProvider({ ...azure, dialect: "none" })],
  "another base URL": [
    new OpenAICompatibleProvider(compatible),
    new OpenAICompatibleProvider({ ...compatible, baseURL: "https://other.example/v1" }),
  ],
  "another model": [
    new OpenAICompatibleProvider(compatible),
    new OpenAICompatibleProvider({ ...compatible, model: "qwen" }),
  ],
  "another kind of provider": [provider, new AzureOpenAIProvider(azure)],
};

for (const [what, [one, other]] of Object.entries(others)) {
  test(`another fingerprint for: ${what}`, () => {
    assert.notEqual(fingerprint({}, one), fingerprint({}, other));
  });
}

test("a provider's key, prices, quota, time limit and latency are none of its answers", () => {
  const prices = { currency: "EUR", inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1 };
  const same = { ...azure, apiKey: "other", prices, rpm: 60, tpm: 1000, timeoutMs: 5 };
  assert.equal(fingerprint({}, new AzureOpenAIProvider(same)), fingerprint({}, new AzureOpenAIProvider(azure)));
  assert.equal(fingerprint({}, new MockProvider({ prices, latencyMs: 5 })), fingerprint());
  assert.doesNotMatch(new AzureOpenAIProvider(same).fingerprint(), /other/);
});
