import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import { createAzure } from "@ai-sdk/azure";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createOpenAICompatible as createOfVersion6 } from "ai-sdk-6-openai-compatible";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { type AiSdkModel, fromAiSdk, type FromAiSdkOptions } from "../../../src/llm/providers/ai-sdk.ts";
import { providerContract } from "../../../src/testing/provider-contract.ts";
import {
  chatRequest,
  completion,
  contractReply,
  fine,
  json,
  never,
  type Reply,
  rowText,
  startChatServer,
} from "../../support/chat-server.ts";
import { failsWith } from "../../support/error-facts.ts";

const server = await startChatServer();
const key = "key-that-must-stay-secret";
const settings = { name: "local", baseURL: `${server.origin}/v1`, apiKey: key, supportsStructuredOutputs: true };
const models: Readonly<Record<string, AiSdkModel>> = {
  "openai-compatible, specification v4": createOpenAICompatible(settings)("some-model"),
  "openai-compatible, specification v3": createOfVersion6(settings)("some-model"),
  "azure, chat": createAzure({ baseURL: `${server.origin}/openai/v1`, apiKey: key }).chat("gpt-4o-prod"),
};

beforeEach(() => {
  server.seen.length = 0;
  server.reply = fine;
});

for (const [name, model] of Object.entries(models)) {
  const provider = (options: FromAiSdkOptions = {}) => fromAiSdk(model, options);
  const failureOf = async (options: FromAiSdkOptions = {}): Promise<ProviderError> => {
    const error: unknown = await provider(options)
      .complete(chatRequest, never())
      .catch((thrown: unknown) => thrown);
    assert.ok(error instanceof ProviderError, inspect(error));
    const printed = inspect(error, { depth: 9 });
    assert.ok(!printed.includes(key) && !printed.includes(rowText), printed);
    return error;
  };

  describe(name, () => {
    for (const { name: promise, check } of providerContract({ create: () => provider() })) {
      test(promise, async () => {
        server.reply = contractReply;
        await check();
      });
    }

    test("sends messages, schema and limit, and reads text, model, usage and the request's id", async () => {
      const { text, finishReason, model: answered, usage, requestId } = await provider().complete(chatRequest, never());
      assert.deepEqual([text, finishReason, answered, requestId], ['{"a":1}', "stop", "gpt-4o-2024-11-20", "req-1"]);
      assert.deepEqual(usage, { inputTokens: 812, cachedTokens: 640, outputTokens: 61, reasoningTokens: 7 });
      const body = server.seen.at(-1)?.body ?? {};
      assert.deepEqual(body["messages"], chatRequest.messages);
      assert.match(JSON.stringify(body["response_format"]), /"type":"json_schema".*"name":"visit"/);
      assert.equal(body["max_tokens"] ?? body["max_completion_tokens"], 256);
    });

    test("maps refusals, answers that were cut off and the content filter", async () => {
      server.reply = json(200, completion({ content: null, refusal: "I can't." }));
      const declined = await provider().complete(chatRequest, never());
      assert.deepEqual([declined.finishReason, declined.text], ["refusal", "I can't."]);
      server.reply = json(200, completion({ content: '{"a' }, "length"));
      assert.equal((await provider().complete(chatRequest, never())).finishReason, "length");
      server.reply = json(200, completion({ content: "" }, "content_filter"));
      assert.equal((await provider().complete(chatRequest, never())).finishReason, "content_filter");
    });

    const filter = {
      innererror: { code: "ResponsibleAIPolicyViolation", content_filter_result: { hate: { filtered: true } } },
    };
    const failures: readonly (readonly [string, Reply, string, string])[] = [
      ["401", json(401, { error: { message: `wrong ${key}` } }), "run", "AUTHENTICATION_FAILED"],
      ["404", json(404, {}), "row", "DEPLOYMENT_NOT_FOUND"],
      ["429", json(429, {}, { "retry-after-ms": "120" }), "transient", "RATE_LIMITED"],
      ["500", json(500, "<html>"), "transient", "SERVICE_UNAVAILABLE"],
      [
        "400 content_filter",
        json(400, { error: { code: "content_filter", message: rowText, ...filter } }),
        "row",
        "CONTENT_FILTER",
      ],
      ["another 400", json(400, { error: { code: "x", message: rowText } }), "row", "BAD_REQUEST"],
      ["a page instead of JSON", (response) => response.end(`<html>${rowText}`), "transient", "INVALID_RESPONSE"],
      ["JSON that is no completion", json(200, { message: rowText }), "transient", "INVALID_RESPONSE"],
      ["a connection that is reset", (response) => response.socket?.destroy(), "transient", "NETWORK_ERROR"],
      [
        "a body that breaks off",
        (response) => {
          response.writeHead(200, { "content-length": "1000" }).write("{", () => response.socket?.destroy());
        },
        "transient",
        "NETWORK_ERROR",
      ],
    ];
    for (const [failure, reply, errorClass, code] of failures) {
      test(`${failure} is ${code}, after one call`, async () => {
        server.reply = reply;
        const error = await failureOf();
        assert.deepEqual([error.class, error.code], [errorClass, code]);
        assert.equal(server.seen.length, 1);
        if (failure === "429") assert.equal(error.retryAfterMs, 120);
        if (failure === "400 content_filter") assert.deepEqual(error.facts.where, ["hate"]);
      });
    }

    test("a call ends with the signal's reason, or at its timeout", async () => {
      server.reply = (response) => void response.writeHead(200).write("{");
      const controller = new AbortController();
      const call = provider().complete(chatRequest, controller.signal);
      await setTimeout(20);
      controller.abort(new Error("the run stops"));
      await assert.rejects(call, /the run stops/);
      const error = await failureOf({ timeoutMs: 30 });
      assert.deepEqual([error.class, error.code], ["transient", "TIMEOUT"]);
    });

    test("a dialect puts the schema into the system message", async () => {
      server.reply = json(200, completion({ content: '```json\n{"a":1}\n```' }));
      const { text } = await provider({ dialect: "none" }).complete(chatRequest, never());
      assert.equal(text, '{"a":1}');
      assert.match(server.seen.at(-1)?.text ?? "", /The JSON Schema of the reply/);
      assert.equal(server.seen.at(-1)?.body["response_format"], undefined);
    });
  });
}

test("a model that reasons gets more tokens and no temperature, and the provider's own options", async () => {
  const azure = models["azure, chat"];
  assert.ok(azure !== undefined);
  const providerOptions = { openai: { reasoningEffort: "low", forceReasoning: true } };
  await fromAiSdk(azure, { reasoning: true, providerOptions }).complete({ ...chatRequest, lengthFactor: 2 }, never());
  const { max_completion_tokens: limit, temperature, reasoning_effort: effort } = server.seen.at(-1)?.body ?? {};
  assert.deepEqual([limit, temperature, effort], [256 + 2 * 2048, undefined, "low"]);
});

test("a schema that was not sent gives one warning, with what to do", async () => {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", note);
  const plain = fromAiSdk(createOpenAICompatible({ ...settings, supportsStructuredOutputs: false })("m"));
  await plain.complete(chatRequest, never());
  await plain.complete(chatRequest, never());
  await setImmediate();
  process.off("warning", note);
  assert.equal(warnings.filter((message) => message.includes('dialect: "json_object"')).length, 1);
});

test("name, prices and fingerprint are as given, and hold no key", () => {
  const model = models["openai-compatible, specification v4"];
  assert.ok(model !== undefined);
  const prices = { inputPerMillion: 1, cachedInputPerMillion: 0.5, outputPerMillion: 4, currency: "EUR" };
  const provider = fromAiSdk(model, { name: "mine", prices });
  assert.deepEqual([provider.name, provider.prices], ["mine", prices]);
  assert.equal(fromAiSdk(model).name, "ai-sdk:local.chat");
  assert.notEqual(fromAiSdk(model).fingerprint(), fromAiSdk(model, { dialect: "none" }).fingerprint());
  assert.ok(!`${inspect(provider, { depth: 9 })}${provider.fingerprint()}`.includes(key));
});

test("a value that is not a model, another specification, and an unknown option are rejected", () => {
  assert.throws(() => fromAiSdk("gpt-4o" as never), failsWith("INVALID_OPTION", { where: "model" }));
  const odd = { specificationVersion: "v9", provider: "p", modelId: "m", doGenerate: () => Promise.resolve() };
  assert.throws(
    () => fromAiSdk(odd),
    failsWith("INVALID_OPTION", { where: "model", expected: ["v2", "v3", "v4"], got: "v9" }),
  );
  assert.throws(
    () => fromAiSdk({ ...odd, specificationVersion: "v4" }, { timeout: 1 } as never),
    failsWith("INVALID_OPTION", { where: "timeout", nearest: "timeoutMs" }),
  );
});

test("an error that the tokens ran out is an answer that was cut off, and one without JSON an invalid answer", async () => {
  const model = createOpenAICompatible(settings)("some-model");
  const ask = async () => await fromAiSdk(model, { reasoning: true }).complete(chatRequest, never());
  server.reply = json(400, { error: { message: "Could not finish the message because max_tokens was reached." } });
  const { finishReason, usage } = await ask();
  assert.deepEqual([finishReason, usage.outputTokens, usage.isEstimated], ["length", 256 + 2048, true]);
  server.reply = json(400, { error: { message: "no JSON", code: "json_validate_failed", failed_generation: "{" } });
  const invalid = await ask();
  assert.deepEqual([invalid.finishReason, invalid.text], ["stop", "{"]);
});

test("of the Responses API's messages the last one is the answer", async () => {
  const message = (id: string, text: string): object => {
    const content = [{ type: "output_text", text, annotations: [] }];
    return { type: "message", id, role: "assistant", status: "completed", content };
  };
  const output = [message("m1", "I will look at it."), message("m2", '{"a":1}')];
  const usage = { input_tokens: 10, output_tokens: 5 };
  server.reply = json(200, { id: "r", object: "response", created_at: 1, model: "gpt", output, usage, error: null });
  const model = createAzure({ baseURL: `${server.origin}/openai/v1`, apiKey: key })("gpt-4o-prod");
  assert.equal((await fromAiSdk(model).complete(chatRequest, never())).text, '{"a":1}');
});
