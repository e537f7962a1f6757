import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChatBody, type ChatFormat, messagesWithSchema, tokenLimitOf } from "../../../src/llm/chat-completions/body.ts";
import { chatRequest } from "../../support/chat-server.ts";

const format: ChatFormat = {
  model: "org/model:7b",
  dialect: "strict",
  describesSchema: false,
  tokenLimit: "max_tokens",
  takesCacheKey: false,
  reasoning: undefined,
};
const instruction = `The JSON Schema of the reply:\n${JSON.stringify(chatRequest.schema.json)}`;

test("whatever the texts are, the body is the JSON of the request", () => {
  const body = new ChatBody({ ...format, takesCacheKey: true });
  const texts = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(texts, texts, texts, (system, user, cacheKey) => {
      const messages = [
        { role: "system", content: system },
        { role: "user", content: user },
      ] as const;
      const parsed: unknown = JSON.parse(body.render({ ...chatRequest, messages, cacheKey }));
      const { name, json: schema } = chatRequest.schema;
      assert.deepEqual(parsed, {
        messages: JSON.parse(JSON.stringify(messages)),
        response_format: { type: "json_schema", json_schema: { name, strict: true, schema } },
        ...{ model: "org/model:7b", max_tokens: 256, temperature: 0 },
        prompt_cache_key: cacheKey.slice(-64).toWellFormed(),
      });
    }),
    { numRuns: 100, seed: 3 },
  );
});

test("json_object and none put the schema into the system message, or make one", () => {
  const [, user] = chatRequest.messages;
  assert.ok(user !== undefined);
  for (const dialect of ["json_object", "none"] as const) {
    const body = new ChatBody({ ...format, dialect });
    const parsed = JSON.parse(body.render(chatRequest));
    assert.deepEqual(parsed.messages[0], { role: "system", content: `Classify.\n\n${instruction}` });
    assert.deepEqual(parsed.response_format, dialect === "none" ? undefined : { type: "json_object" });
    const alone = JSON.parse(body.render({ ...chatRequest, messages: [user] }));
    assert.deepEqual(alone.messages, [{ role: "system", content: instruction }, user]);
  }
  assert.deepEqual(messagesWithSchema({ ...chatRequest, messages: [user] })[0]?.content, instruction);
  assert.equal(messagesWithSchema(chatRequest)[0]?.content, `Classify.\n\n${instruction}`);
});

test("another system message or another name for one schema is rendered anew", () => {
  const body = new ChatBody(format);
  body.render(chatRequest);
  const other = body.render({ ...chatRequest, messages: [{ role: "system", content: "Other." }] });
  assert.deepEqual(JSON.parse(other).messages, [{ role: "system", content: "Other." }]);
  const named = body.render({ ...chatRequest, schema: { ...chatRequest.schema, name: "other" } });
  assert.equal(JSON.parse(named).response_format.json_schema.name, "other");
});

test("reasoning adds its tokens, as many times as the answer's length was raised", () => {
  assert.equal(tokenLimitOf(100), 100);
  assert.equal(tokenLimitOf(200, 2, { effort: "low", maxTokens: 50 }), 300);
});

test("where the service does not show the schema, the system message describes the reply, the same bytes for each row", () => {
  const described = { ...format, describesSchema: true };
  const systemOf = (form: ChatFormat): string => JSON.parse(new ChatBody(form).render(chatRequest)).messages[0].content;
  const strict = systemOf(described);
  assert.ok(strict.startsWith("Classify.\n\n"));
  for (const name of Object.keys(chatRequest.schema.json.properties ?? {})) assert.ok(strict.includes(`- ${name}: `));
  for (const dialect of ["json_object", "none"] as const) {
    const content = systemOf({ ...described, dialect });
    const [skeleton = ""] = content.split("\n").slice(-1);
    assert.ok(content.startsWith(`Classify.\n\n${instruction}`));
    assert.deepEqual(Object.keys(JSON.parse(skeleton)), Object.keys(chatRequest.schema.json.properties ?? {}));
  }
  const [, user] = chatRequest.messages;
  assert.ok(user !== undefined);
  const body = new ChatBody(described);
  assert.deepEqual(JSON.parse(body.render({ ...chatRequest, messages: [user] })).messages[1], user);
  assert.equal(body.render(chatRequest), body.render(chatRequest));
});
