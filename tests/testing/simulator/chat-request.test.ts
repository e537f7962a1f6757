import assert from "node:assert/strict";
import { test } from "node:test";
import {
  keysOfBeginnings,
  readChatRequest,
  type ChatRequest,
  type ReadingRules,
} from "../../../src/testing/simulator/chat-request.ts";
import { SchemaBook } from "../../../src/testing/simulator/schema-book.ts";
import { chat, errorIn } from "../../support/simulator.ts";

const rules: ReadingRules = {
  deployment: undefined,
  apiVersion: undefined,
  reasoning: false,
  schemas: new SchemaBook(),
};

function read(body: unknown, others: Partial<ReadingRules> = {}) {
  return readChatRequest(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), { ...rules, ...others });
}

function fine(body: unknown, others: Partial<ReadingRules> = {}): ChatRequest {
  const reading = read(body, others);
  assert.ok(reading.ok, reading.ok ? "" : reading.reply.body);
  return reading.request;
}

function rejection(body: unknown, others: Partial<ReadingRules> = {}) {
  const reading = read(body, others);
  assert.ok(!reading.ok);
  assert.equal(reading.reply.status, 400);
  return errorIn(reading.reply);
}

test("a request is read with its lengths, and the deployment of the path wins over the body's model", () => {
  const request = fine(chat("pain"));
  assert.deepEqual([request.deployment, request.maxTokens, request.schema?.type], ["gpt-test", 200, "object"]);
  assert.equal(
    request.messageCharacters,
    request.messages.reduce((sum, { content }) => sum + content.length, 0),
  );
  assert.ok(request.schemaCharacters > 100);
  assert.equal(fine(chat("pain"), { deployment: "other" }).deployment, "other");
  assert.equal(fine(chat("pain", { max_completion_tokens: undefined, max_tokens: 7 })).maxTokens, 7);
});

test("unknown parameters are ignored; content may be parts; developer is a system role", () => {
  const messages = [
    {
      role: "developer",
      content: [
        { type: "text", text: "Do " },
        { type: "text", text: "it." },
      ],
    },
    { role: "user", content: "x", name: "n" },
    { role: "assistant", content: null, tool_calls: [] },
    { role: "tool", content: "y" },
  ];
  const request = fine({ model: "d", messages, prompt_cache_key: "k", whatever: 3 });
  assert.deepEqual(request.messages[0], { role: "system", content: "Do it." });
  assert.deepEqual(
    request.messages.map(({ role }) => role),
    ["system", "user", "assistant", "assistant"],
  );
  assert.deepEqual([request.schema, request.maxTokens], [undefined, undefined]);
});

test("a mistake in a request is a 400 that names the parameter", () => {
  const format = (json_schema: unknown) => chat("x", { response_format: { type: "json_schema", json_schema } });
  const open = { type: "object", properties: {}, required: [] };
  const cases: [body: unknown, param: string | null, named: string][] = [
    ["{", null, "JSON"],
    ["[]", null, "JSON"],
    [{ messages: [] }, "model", "model"],
    [{ model: "d" }, "messages", "'messages'"],
    [{ model: "d", messages: [] }, "messages", "'messages'"],
    [{ model: "d", messages: [{ role: "narrator", content: "x" }] }, "messages", "'messages[0].role'"],
    [{ model: "d", messages: ["x"] }, "messages", "'messages[0].role'"],
    [{ model: "d", messages: [{ role: "user", content: 3 }] }, "messages", "'messages[0].content'"],
    [chat("x", { max_completion_tokens: 0 }), "max_completion_tokens", "'max_completion_tokens'"],
    [chat("x", { stream: true }), "stream", "'stream'"],
    [chat("x", { response_format: "json" }), "response_format", "'response_format.type'"],
    [chat("x", { response_format: { type: "json_schema" } }), "response_format", "'response_format.type'"],
    [format({ name: "no blanks", schema: open }), "response_format.json_schema.name", "64"],
    [format({ name: "n" }), "response_format", "'n'"],
    [format({ name: "n", strict: true, schema: open }), "response_format", "'n' at root: 'additionalProperties'"],
  ];
  for (const [body, param, named] of cases) {
    const error = rejection(body);
    assert.deepEqual([error.param, error.type], [param, "invalid_request_error"]);
    assert.ok(error.message.includes(named), error.message);
  }
  assert.equal(fine(format({ name: "n", strict: false, schema: open })).schema?.type, "object");
});

test("a dated API before the first with json_schema rejects one", () => {
  const { message, param } = rejection(chat("x"), { deployment: "d", apiVersion: "2024-02-15-preview" });
  assert.ok(param === "response_format" && message.includes("2024-08-01-preview"), message);
  fine(chat("x"), { deployment: "d", apiVersion: "2024-08-01-preview" });
});

test("json_object takes the schema from the system message, and any object where there is none", () => {
  const schema = { type: "object", properties: { colour: { type: "string", enum: ["red"] } } };
  const asked = (system: string) =>
    fine({ model: "d", messages: [{ role: "system", content: system }], response_format: { type: "json_object" } })
      .schema?.properties;
  assert.deepEqual(Object.keys(asked(`Do it.\n\nThe JSON Schema of the reply:\n${JSON.stringify(schema)}`) ?? {}), [
    "colour",
  ]);
  assert.deepEqual(Object.keys(asked("Reply in JSON.") ?? {}), ["answer"]);
  assert.deepEqual(Object.keys(asked("The JSON Schema of the reply:\nnone") ?? {}), ["answer"]);
});

test("a reasoning model rejects the parameters that it has no use for", () => {
  const rule = { reasoning: true };
  const { code, param } = rejection(chat("x", { max_completion_tokens: undefined, max_tokens: 5 }), rule);
  assert.deepEqual([code, param], ["unsupported_parameter", "max_tokens"]);
  assert.equal(rejection(chat("x", { temperature: 0 }), rule).code, "unsupported_value");
  assert.equal(rejection(chat("x", { top_p: 0.5 }), rule).code, "unsupported_parameter");
  fine(chat("x", { temperature: 1, reasoning_effort: "low" }), rule);
});

test("the keys of the beginnings are those of the same conversation, and of no other", () => {
  const short = keysOfBeginnings(fine(chat("a")));
  const { messages } = chat("a");
  assert.ok(Array.isArray(messages));
  const longer = keysOfBeginnings(fine(chat("a", { messages: [...messages, { role: "assistant", content: "{" }] })));
  assert.deepEqual(longer.slice(0, 2), short);
  const other = keysOfBeginnings(fine(chat("b")));
  assert.equal(other[0], short[0]);
  assert.notEqual(other[1], short[1]);
  assert.notEqual(keysOfBeginnings(fine(chat("a"), { deployment: "e" }))[0], short[0]);
});
