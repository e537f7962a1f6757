import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { OptionError, SettingError } from "../../../src/errors/option.ts";
import {
  OpenAICompatibleProvider,
  type OpenAICompatibleProviderOptions,
} from "../../../src/llm/providers/openai-compatible.ts";
import { providerContract } from "../../../src/testing/provider-contract.ts";
import {
  chatRequest,
  completion,
  contractReply,
  fine,
  json,
  never,
  startChatServer,
} from "../../support/chat-server.ts";
import { failsWith } from "../../support/error-facts.ts";

const server = await startChatServer();
const baseURL = `${server.origin}/v1`;
const key = "key-that-must-stay-secret";
const before = process.env["OPENAI_API_KEY"];

beforeEach(() => {
  server.seen.length = 0;
  server.reply = fine;
  delete process.env["OPENAI_API_KEY"];
});
afterEach(() => {
  if (before !== undefined) process.env["OPENAI_API_KEY"] = before;
});

function provider(options: Partial<OpenAICompatibleProviderOptions> = {}): OpenAICompatibleProvider {
  return new OpenAICompatibleProvider({ baseURL, model: "org/model:7b", ...options });
}

test("a check looks for the key of OpenAI where no option gives it, and for no other service's", () => {
  const environmentOf = (options: Partial<OpenAICompatibleProviderOptions>) =>
    new OpenAICompatibleProvider({ baseURL: "https://api.openai.com/v1", model: "m", ...options }).requirements
      .environment;
  assert.deepEqual(environmentOf({}), ["OPENAI_API_KEY"]);
  assert.deepEqual(environmentOf({ apiKey: key }), []);
  assert.deepEqual(environmentOf({ baseURL }), []);
});

describe("a request", () => {
  test("goes to the path of the address, with the schema, without key and cache key", async () => {
    process.env["OPENAI_API_KEY"] = "key-of-openai"; // is sent to no other host
    await provider({ baseURL: `${baseURL}/`, describeSchema: false }).complete(chatRequest, never());
    const [seen] = server.seen;
    assert.deepEqual([seen?.url, seen?.headers.authorization], ["/v1/chat/completions", undefined]);
    const { name, json: schema } = chatRequest.schema;
    assert.deepEqual(seen?.body, {
      messages: chatRequest.messages,
      response_format: { type: "json_schema", json_schema: { name, strict: true, schema } },
      ...{ model: "org/model:7b", max_tokens: 256, temperature: 0 },
    });
  });

  test("has a key as bearer where one is given, which no print tells", async () => {
    const keyed = provider({ apiKey: key });
    await keyed.complete(chatRequest, never());
    assert.equal(server.seen[0]?.headers.authorization, `Bearer ${key}`);
    assert.ok(!`${inspect(keyed, { depth: 9 })}${JSON.stringify(keyed)}${keyed.fingerprint()}`.includes(key));
  });

  test("leaves the schema to the system message as the dialect says, and takes answers out of their fence", async () => {
    server.reply = json(200, completion({ content: '```json\n{"a":1}\n```' }));
    for (const dialect of ["json_object", "none"] as const) {
      const { text } = await provider({ dialect }).complete(chatRequest, never());
      assert.equal(text, '{"a":1}');
    }
    assert.deepEqual(
      server.seen.map(({ body }) => body["response_format"]),
      [{ type: "json_object" }, undefined],
    );
    assert.ok(server.seen.every(({ text }) => text.includes("The JSON Schema of the reply")));
    const { text } = await provider().complete(chatRequest, never());
    assert.match(text, /^```json/);
  });

  test("of a reasoning model has its effort, more tokens and no temperature", async () => {
    await provider({ reasoningEffort: "low" }).complete(chatRequest, never());
    const { max_completion_tokens: limit, reasoning_effort: effort, temperature } = server.seen[0]?.body ?? {};
    assert.deepEqual([limit, effort, temperature], [2304, "low", undefined]);
  });
});

describe("settings", () => {
  test("plain http to another machine has to be allowed", () => {
    const lan = { baseURL: "http://vllm.lan:8000/v1" };
    assert.throws(
      () => provider(lan),
      (error) => {
        assert.ok(error instanceof OptionError && error.facts.hint?.includes("allowHTTP: true") === true);
        return failsWith("INVALID_OPTION", { where: "baseURL", got: "http://vllm.lan:8000" })(error);
      },
    );
    assert.match(provider({ ...lan, allowHTTP: true }).fingerprint(), /vllm\.lan/);
  });

  test("OpenAI itself needs a key, as option or variable", () => {
    const openAI = provider({ baseURL: "https://api.openai.com/v1" });
    assert.throws(
      () => openAI.fingerprint(),
      (error) =>
        error instanceof SettingError &&
        failsWith("SETTING_MISSING", { where: "apiKey", variable: "OPENAI_API_KEY" })(error),
    );
    process.env["OPENAI_API_KEY"] = key;
    assert.match(openAI.fingerprint(), /api\.openai\.com/);
  });

  test("that have a wrong value are rejected, without showing the key", () => {
    const rejected = (where: string, facts: ErrorFacts = {}) => failsWith("INVALID_OPTION", { where, ...facts });
    assert.throws(() => provider({ model: " " }), rejected("model"));
    assert.throws(
      () => provider({ baseURL: `${baseURL}/chat/completions` }),
      rejected("baseURL", { expected: "the address of the service alone" }),
    );
    assert.throws(() => provider({ dialect: "json" as "none" }), rejected("dialect", { got: '"json"' }));
    assert.throws(
      () => provider({ apiKey: `${key}\nx` }).fingerprint(),
      (error) => rejected("apiKey")(error) && !inspect(error).includes(key),
    );
  });

  test("that change answers are in the fingerprint", () => {
    const all = [{}, { model: "b" }, { dialect: "none" }, { reasoning: true }, { baseURL: server.origin }] as const;
    assert.equal(new Set(all.map((options) => provider(options).fingerprint())).size, all.length);
    assert.equal(provider({ timeoutMs: 1, apiKey: key }).fingerprint(), provider().fingerprint());
  });
});

test("a failure names this provider's options", async () => {
  server.reply = json(404, { error: { message: "model not found", code: "model_not_found" } });
  const hint = 'check the option "model" and the option "baseURL"';
  await assert.rejects(provider().complete(chatRequest, never()), failsWith("DEPLOYMENT_NOT_FOUND", { hint }));
  server.reply = json(400, {
    object: "error",
    message: "This model's maximum context length is 4096 tokens",
    code: 400,
  });
  await assert.rejects(provider().complete(chatRequest, never()), { code: "CONTEXT_LENGTH_EXCEEDED", class: "row" });
});

describe("OpenAICompatibleProvider keeps the contract of a provider", () => {
  for (const { name, check } of providerContract({ create: () => provider() })) {
    test(name, async () => {
      server.reply = contractReply;
      await check();
    });
  }
});

test("the schema is described unless the host shows it to the model; the answers of 0.1 are found then, too", () => {
  const described = (url: string, options: Partial<OpenAICompatibleProviderOptions> = {}): boolean => {
    const one = new OpenAICompatibleProvider({ baseURL: url, model: "m", apiKey: "key", ...options });
    const plain = new OpenAICompatibleProvider({
      baseURL: url,
      model: "m",
      apiKey: "key",
      ...options,
      describeSchema: false,
    });
    const former = one.former();
    assert.equal(former?.fingerprint ?? one.fingerprint(), plain.fingerprint());
    assert.equal(former === undefined, one.fingerprint() === plain.fingerprint());
    return former !== undefined;
  };
  const showing = [
    "https://api.openai.com/v1",
    "https://eu.api.openai.com/v1",
    "https://one.openai.azure.com/openai/v1",
    "https://one.services.ai.azure.com/openai/v1",
    "https://one.cognitiveservices.azure.com/openai/v1",
  ];
  for (const url of showing) {
    assert.equal(described(url), false, url);
    assert.equal(described(url, { describeSchema: true }), true, url);
  }
  const others = [
    "http://localhost:11434/v1",
    "https://openai.com.example/v1",
    "https://notopenai.com/v1",
    "https://api.mistral.ai/v1",
    "https://gateway.example/openai.azure.com/v1",
  ];
  for (const url of others) {
    assert.equal(described(url), true, url);
    assert.equal(described(url, { describeSchema: false }), false, url);
  }
  assert.throws(() => provider({ describeSchema: "yes" as never }), { code: "INVALID_OPTION" });
});
