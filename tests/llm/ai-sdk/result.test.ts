import assert from "node:assert/strict";
import { test } from "node:test";
import { type AiSdkReading, readAiSdkResult } from "../../../src/llm/ai-sdk/result.ts";

const reading: AiSdkReading = {
  model: "named",
  schema: { type: "object", required: ["a"] },
  requestCharacters: 40,
  isStrict: false,
  onSchemaDropped: () => assert.fail("the schema was sent"),
  onSchemaIgnored: () => {},
};
const tokens = {
  inputTokens: { total: 5, noCache: 3, cacheRead: 2, cacheWrite: undefined },
  outputTokens: { total: 4, text: 3, reasoning: 1 },
};
const result = { content: [], finishReason: { unified: "stop", raw: "stop" }, usage: tokens, warnings: [] };

test("the text is all parts of it, without the reasoning", () => {
  const content = [
    { type: "reasoning", text: "hmm" },
    { type: "text", text: '{"a"' },
    { type: "text", text: ":1}" },
  ];
  const { text, model, usage } = readAiSdkResult({ ...result, content }, reading);
  assert.deepEqual([text, model], ['{"a":1}', "named"]);
  assert.deepEqual(usage, { inputTokens: 5, cachedTokens: 2, outputTokens: 4, reasoningTokens: 1 });
});

test("a result of specification v2 is read too", () => {
  const usage = { inputTokens: 5, outputTokens: 4, totalTokens: 9, cachedInputTokens: 2 };
  const read = readAiSdkResult({ ...result, finishReason: "content-filter", usage }, reading);
  assert.equal(read.finishReason, "content_filter");
  assert.deepEqual(read.usage, { inputTokens: 5, cachedTokens: 2, outputTokens: 4, reasoningTokens: 0 });
});

test("a refusal is found in the body of the responses API", () => {
  const body = { output: [{ type: "reasoning" }, { content: [{ type: "refusal", refusal: "No." }] }] };
  const { text, finishReason } = readAiSdkResult({ ...result, response: { body } }, reading);
  assert.deepEqual([text, finishReason], ["No.", "refusal"]);
});

test("a result of another form, and a model that ended with an error, are transient errors", () => {
  for (const wrong of [undefined, {}, { ...result, content: 1 }, { ...result, finishReason: { unified: "error" } }]) {
    assert.throws(() => readAiSdkResult(wrong, reading), { class: "transient", code: "INVALID_RESPONSE" });
  }
});

const part = (text: string, metadata: Readonly<Record<string, unknown>> = {}): object => ({
  type: "text",
  text,
  providerMetadata: { azure: metadata },
});

test("of several messages of the Responses API the final one is the answer", () => {
  const good = '{"a":1}';
  const contents: readonly (readonly object[])[] = [
    [part('{"a":0}', { itemId: "m1" }), { type: "reasoning", text: "hm" }, part(good, { itemId: "m2" })],
    [part("I will look at it.", { itemId: "m1" }), part('{"a"', { itemId: "m2" }), part(":1}", { itemId: "m2" })],
    [part(good, { itemId: "m1", phase: "final_answer" }), part("Done.", { itemId: "m2", phase: "commentary" })],
    [part("I will look at it."), part(good)],
    [part(good, { itemId: "m1" }), part(" ", { itemId: "m2" })],
    [part(good), part("")],
    [part('{"a":0}'), part(good)],
    [part('{"a"'), part(":1}")],
  ];
  for (const content of contents) {
    for (const isStrict of [true, false]) {
      assert.equal(
        readAiSdkResult({ ...result, content }, { ...reading, isStrict }).text,
        good,
        JSON.stringify(content),
      );
    }
  }
});

test("parts without ids are told apart by the items of the body", () => {
  const item = (text: string): object => ({ type: "message", content: [{ type: "output_text", text }] });
  const body = { output: [item('{"a":0}'), item('{"a":1}')] };
  const content = [part('{"a":0}'), part('{"a"'), part(":1}")];
  assert.equal(readAiSdkResult({ ...result, content, response: { body } }, reading).text, '{"a":1}');
});

test("tokens that are missing or absurd are estimated, and marked so", () => {
  const content = [{ type: "text", text: '{"a":1}' }];
  const nan = { inputTokens: Number.NaN, outputTokens: Number.NaN };
  for (const usage of [
    undefined,
    null,
    {},
    nan,
    { inputTokens: -1, outputTokens: 1e99 },
    { inputTokens: { total: undefined } },
  ]) {
    const { usage: read } = readAiSdkResult({ ...result, content, usage }, reading);
    assert.deepEqual(read, {
      inputTokens: 10,
      cachedTokens: 0,
      outputTokens: 2,
      reasoningTokens: 0,
      isEstimated: true,
    });
  }
});

test("text around the JSON is taken off where no schema binds the model", () => {
  const content = [{ type: "text", text: '<think>{"a":0}</think>\n```json\n{"a":1}\n```' }];
  assert.equal(readAiSdkResult({ ...result, content }, reading).text, '{"a":1}');
  assert.equal(readAiSdkResult({ ...result, content }, { ...reading, isStrict: true }).text, content[0]?.text);
});

test("a result that does not say why it ended has ended", () => {
  const { text, finishReason } = readAiSdkResult({ content: [part('{"a":1}')], usage: tokens }, reading);
  assert.deepEqual([text, finishReason], ['{"a":1}', "stop"]);
});

test("an empty refusal in the body is none", () => {
  const body = { choices: [{ message: { refusal: "" } }] };
  assert.equal(readAiSdkResult({ ...result, response: { body } }, reading).finishReason, "stop");
});
