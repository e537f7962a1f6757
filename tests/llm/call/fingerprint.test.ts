import assert from "node:assert/strict";
import { test } from "node:test";
import { Fingerprints } from "../../../src/llm/call/fingerprint.ts";
import { AzureOpenAIProvider } from "../../../src/llm/providers/azure-openai.ts";
import { wrapProvider } from "../../../src/llm/wrap-provider.ts";
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
  return new Fingerprints().keysOf(asked, request(changes))[0];
}

function keyOf(fingerprints: Fingerprints, changes: Partial<LLMRequest> = {}, asked: LLMProvider = provider): string {
  return fingerprints.keysOf(asked, request(changes))[0];
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
  assert.equal(keyOf(one), keyOf(one));
  assert.equal(keyOf(one), fingerprint());
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
    assert.equal(keyOf(shared, change), fingerprint(change));
  }
  const other = new MockProvider({ seed: 2 });
  assert.equal(keyOf(shared, {}, other), fingerprint({}, other));
});

test("a provider is asked for its fingerprint once in a run", () => {
  let count = 0;
  const counting: LLMProvider = { ...provider, name: "counting", fingerprint: () => `${(count += 1)}` };
  const fingerprints = new Fingerprints();
  assert.equal(keyOf(fingerprints, {}, counting), keyOf(fingerprints, {}, counting));
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

const reasoning = new AzureOpenAIProvider({ ...azure, reasoning: true });
const jsonObject = new OpenAICompatibleProvider({ ...compatible, dialect: "json_object" });
const keysOf = (asked: LLMProvider, changes: Partial<LLMRequest> = {}, older?: readonly Partial<LLMRequest>[]) =>
  new Fingerprints().keysOf(
    asked,
    request(changes),
    older?.map((one) => request({ ...changes, ...one })),
  );

test("nothing that is not sent is in a key; the key of version 0.1, which had it, comes behind it", () => {
  const [key, older] = keysOf(reasoning);
  const [other, olderOther] = keysOf(reasoning, { temperature: 1 });
  assert.equal(key, other);
  assert.notEqual(older, olderOther);
  const renamed = { schema: { ...request().schema, name: "another" } };
  assert.equal(keysOf(jsonObject)[0], keysOf(jsonObject, renamed)[0]);
  assert.notEqual(keysOf(jsonObject)[1], keysOf(jsonObject, renamed)[1]);
  assert.notEqual(keysOf(reasoning)[0], keysOf(reasoning, renamed)[0]);
  assert.notEqual(keysOf(jsonObject)[0], keysOf(jsonObject, { temperature: 1 })[0]);
});

test("where all of a request is sent, and nothing was worded otherwise, there is one key", () => {
  assert.equal(keysOf(new AzureOpenAIProvider(azure)).length, 1);
  assert.equal(keysOf(provider).length, 1);
  assert.equal(keysOf(reasoning, { temperature: undefined }).length, 1);
});

test("a re-ask that version 0.1 worded otherwise is found by its words, too", () => {
  const olderMessages: LLMRequest["messages"] = [system, { ...user, content: "the words of 0.1" }];
  const [key, older, ...others] = keysOf(provider, {}, [{ messages: olderMessages }]);
  assert.deepEqual([key, older, others], [keysOf(provider)[0], keysOf(provider, { messages: olderMessages })[0], []]);
  assert.equal(
    keysOf(reasoning, {}, [{ messages: olderMessages }])[1],
    keysOf(reasoning, { messages: olderMessages })[1],
  );
});

test("where version 0.1 may have made a request in several ways, each has its key, once", () => {
  const doubled = { maxOutputTokens: 1024, lengthFactor: 2 };
  const keys = keysOf(provider, doubled, [{}, { maxOutputTokens: 512, lengthFactor: undefined }, {}]);
  assert.deepEqual(keys, [keysOf(provider, doubled)[0], keysOf(provider, { maxOutputTokens: 512 })[0]]);
});

test("a provider that asked otherwise in version 0.1 is found by what it was, also behind a layer", () => {
  const settings = { ...compatible, baseURL: "http://localhost:11434/v1" };
  const before = new OpenAICompatibleProvider({ ...settings, describeSchema: false });
  const now = new OpenAICompatibleProvider(settings);
  assert.equal(keysOf(now)[1], keysOf(before)[0]);
  assert.equal(keysOf(now).length, 2);
  const wrap = (one: LLMProvider) => wrapProvider(one, (next) => next, { fingerprint: "upper case" });
  assert.equal(keysOf(wrap(now))[1], keysOf(wrap(before))[0]);
});

test("a layer around a provider leaves its keys as they are", () => {
  assert.deepEqual(keysOf(wrapProvider(reasoning, (next) => next)), keysOf(reasoning));
});
