import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatCompletions } from "../../../src/llm/chat-completions/client.ts";
import { checkChatOptions, reasoningOf } from "../../../src/llm/chat-completions/options.ts";
import { chatRequest, json, never, startChatServer } from "../../support/chat-server.ts";
import { failsWith } from "../../support/error-facts.ts";

const server = await startChatServer();
const service = {
  ...{ owner: "Test", origin: server.origin, path: "/chat", credential: undefined, model: "m" },
  format: {
    model: "m",
    dialect: "strict",
    describesSchema: false,
    tokenLimit: "max_tokens",
    takesCacheKey: false,
    reasoning: undefined,
  },
  settings: { credential: "the key", endpoint: "the address", deployment: "the model" },
} as const;

test("a service without a key is sent none, and its errors name its own settings", async () => {
  const chat = new ChatCompletions(service, {});
  await chat.complete(chatRequest, never());
  const [seen] = server.seen;
  assert.deepEqual([seen?.url, seen?.headers.authorization, seen?.headers["api-key"]], ["/chat", undefined, undefined]);
  server.reply = json(401, {});
  const facts = { status: 401, kind: "access", hint: `check ${service.settings.credential}` };
  await assert.rejects(chat.complete(chatRequest, never()), failsWith("AUTHENTICATION_FAILED", facts));
});

test("an effort means reasoning, and options of reasoning are rejected without it", () => {
  assert.deepEqual(reasoningOf({ reasoningEffort: "high" }), { effort: "high", maxTokens: 2048 });
  assert.deepEqual(reasoningOf({ reasoning: true, maxReasoningTokens: 0 }), { effort: undefined, maxTokens: 0 });
  assert.equal(reasoningOf({}), undefined);
  const facts = { where: "maxReasoningTokens", hint: "set reasoning: true" };
  assert.throws(() => checkChatOptions("Test", { maxReasoningTokens: 1 }), failsWith("INVALID_OPTION", facts));
});
