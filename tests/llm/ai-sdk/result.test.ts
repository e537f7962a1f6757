import assert from "node:assert/strict";
import { test } from "node:test";
import { type AiSdkReading, readAiSdkResult } from "../../../src/llm/ai-sdk/result.ts";

const reading: AiSdkReading = {
  model: "named",
  schema: { type: "object", required: ["a"] },
  requestCharacters: 40,
  isStrict: false,
  onSchemaDropped: () => assert.fail("the schema was sent"),
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
