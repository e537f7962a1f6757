import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatFormat } from "../../../src/llm/chat-completions/body.ts";
import { ChatCompletions } from "../../../src/llm/chat-completions/client.ts";
import { checkChatOptions, reasoningOf } from "../../../src/llm/chat-completions/options.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { chatRequest, fine, json, never, type Reply, startChatServer } from "../../support/chat-server.ts";
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

const unknownFormat = {
  error: { message: "Input should be 'text' or 'json_object': Jane Roe", type: "internal_server_error" },
};

/** The errors of so many calls, one after the other. */
async function errorsOf(chat: ChatCompletions, count: number): Promise<readonly ProviderError[]> {
  const errors: ProviderError[] = [];
  for (let call = 0; call < count; call += 1) {
    const error: unknown = await chat.complete(chatRequest, never()).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof ProviderError);
    errors.push(error);
  }
  return errors;
}

test("a service that answers an unknown response_format with a 500 ends the run, and the dialect is named", async () => {
  server.seen.length = 0;
  server.reply = (response, request) => {
    const reply = request.body["response_format"] === undefined ? fine : json(500, unknownFormat);
    reply(response, request);
  };
  const errors = await errorsOf(new ChatCompletions(service, {}), 3);
  assert.deepEqual(
    errors.map((error) => [error.class, error.code]),
    [
      ["transient", "SERVICE_UNAVAILABLE"],
      ["transient", "SERVICE_UNAVAILABLE"],
      ["run", "BAD_REQUEST"],
    ],
  );
  const last = errors[2] ?? assert.fail();
  failsWith("BAD_REQUEST", { status: 500, expected: 'dialect: "json_object" or "none"', got: 'dialect: "strict"' })(
    last,
  );
  assert.ok((last.usage?.outputTokens ?? 0) > 0, "the answer of the probe was paid for");
  assert.ok(!last.message.includes("Jane") && last.detail.includes("Jane"));
  assert.equal(server.seen.length, 4);
});

test("an outage is none of the form: one probe, which fails, too; none after an answer, for other errors, or without a form", async () => {
  const countOf = async (reply: Reply, form: Partial<ChatFormat> = {}): Promise<number> => {
    server.seen.length = 0;
    server.reply = reply;
    const chat = new ChatCompletions({ ...service, format: { ...service.format, ...form } }, {});
    const errors = await errorsOf(chat, 8);
    assert.ok(errors.every((error) => error.class === "transient"));
    return server.seen.length;
  };
  assert.equal(await countOf(json(500, unknownFormat)), 9);
  assert.equal(await countOf(json(500, unknownFormat), { dialect: "none" }), 8);
  assert.equal(await countOf((...to) => json(500, { error: { message: `error ${server.seen.length}` } })(...to)), 8);
  assert.equal(await countOf((response) => response.writeHead(502).end("<html>Bad gateway</html>")), 8);

  server.seen.length = 0;
  server.reply = fine;
  const chat = new ChatCompletions(service, {});
  await chat.complete(chatRequest, never());
  server.reply = json(500, unknownFormat);
  await errorsOf(chat, 5);
  assert.equal(server.seen.length, 6);
});

test("a path without /v1 is named where there is nothing at it", async () => {
  for (const [path, isNamed] of [
    ["/chat/completions", true],
    ["/api/chat/completions", true],
    ["/v1/chat/completions", false],
    ["/openai/deployments/x/chat/completions", false],
  ] as const) {
    const replies = [
      json(404, { detail: "Not Found" }),
      json(200, { error: `Unexpected endpoint or method. (POST ${path})` }),
    ];
    for (const reply of replies) {
      server.reply = reply;
      const [error] = await errorsOf(new ChatCompletions({ ...service, path }, {}), 1);
      assert.equal(error?.code, "DEPLOYMENT_NOT_FOUND");
      assert.equal(error?.message.includes(`POST ${path} was asked`), isNamed, error?.message);
    }
  }
});
