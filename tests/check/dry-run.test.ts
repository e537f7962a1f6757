import assert from "node:assert/strict";
import { test } from "node:test";
import type { Prompt } from "../../src/contracts/conversation.ts";
import type { JSONSchema } from "../../src/json/json-schema.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { DryRun } from "../../src/check/dry-run.ts";

const schema: JSONSchema = {
  type: "object",
  properties: { note: { type: "string" } },
  required: ["note"],
  additionalProperties: false,
};
const prompt: Prompt = {
  messages: [{ role: "user", content: "<text>\nSudden chest pain. Seen at once.\n</text>" }],
  schema: { name: "out", json: schema },
  maxOutputTokens: 100,
  promptHash: "abc",
};

const dryRun = (): DryRun =>
  new DryRun({ pipeline: "p", step: "s", pk: "1", provider: new MockProvider(), signal: new AbortController().signal });

test("it answers as the mock provider does, and keeps the first prompt", async () => {
  const llm = dryRun();
  assert.equal(llm.prompt, undefined);
  const { text, finishReason } = await llm.ask(prompt, 0);
  await llm.ask({ ...prompt, maxOutputTokens: 7 }, 0);
  const mocked = await new MockProvider().complete({ ...prompt, cacheKey: "" }, new AbortController().signal);
  assert.deepEqual([text, finishReason], [mocked.text, "stop"]);
  assert.equal(llm.prompt, prompt);
});

test("what the target can hold is heeded", async () => {
  const limited: JSONSchema = {
    ...schema,
    properties: { note: { type: "string", description: 'Limits: {"maxLength":10}' } },
  };
  const { text } = await dryRun().ask({ ...prompt, limitedSchema: limited }, 0);
  assert.ok(String(JSON.parse(text).note).length <= 10, text);
});
