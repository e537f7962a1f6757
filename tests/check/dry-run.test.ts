import assert from "node:assert/strict";
import { test } from "node:test";
import type { Prompt } from "../../src/contracts/conversation.ts";
import type { JSONSchema } from "../../src/json/json-schema.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { Rehearsal } from "../../src/check/dry-run.ts";

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

test("it answers as the mock provider does, and keeps the first prompt", async () => {
  const rehearsal = new Rehearsal();
  assert.equal(rehearsal.prompt, undefined);
  const { text, finishReason } = await rehearsal.ask(prompt);
  await rehearsal.ask({ ...prompt, maxOutputTokens: 7 });
  const mocked = await new MockProvider().complete({ ...prompt, cacheKey: "" }, new AbortController().signal);
  assert.deepEqual([text, finishReason], [mocked.text, "stop"]);
  assert.equal(rehearsal.prompt, prompt);
});

test("what the target can hold is heeded", async () => {
  const limited: JSONSchema = {
    ...schema,
    properties: { note: { type: "string", description: 'Limits: {"maxLength":10}' } },
  };
  const { text } = await new Rehearsal().ask({ ...prompt, limitedSchema: limited });
  assert.ok(String(JSON.parse(text).note).length <= 10, text);
});
