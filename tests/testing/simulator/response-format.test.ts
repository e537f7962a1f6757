import assert from "node:assert/strict";
import { test } from "node:test";
import type { JSONSchema } from "../../../src/json/json-schema.ts";
import type { ChatMessage } from "../../../src/contracts/provider.ts";
import { namesFields, readFormat, type FormatRules } from "../../../src/testing/simulator/response-format.ts";
import { SchemaBook } from "../../../src/testing/simulator/schema-book.ts";
import { errorIn } from "../../support/simulator.ts";

const messages: readonly ChatMessage[] = [{ role: "user", content: "x" }];
const schema: JSONSchema = {
  type: "object",
  properties: { reason: { type: "string" } },
  required: ["reason"],
  additionalProperties: false,
};
const forms = {
  text: { type: "text" },
  json_object: { type: "json_object" },
  json_schema: { type: "json_schema", json_schema: { name: "n", strict: true, schema } },
};
const read = (format: unknown, rules: Partial<FormatRules> = {}) =>
  readFormat(format, messages, { apiVersion: undefined, schemas: new SchemaBook(), ...rules });

test("a form that the server does not know is a 500 that names those it knows", () => {
  const cases: [format: unknown, known: FormatRules["responseFormats"], named: string | undefined][] = [
    [forms.json_schema, ["text", "json_object"], "Input should be 'text' or 'json_object'"],
    [forms.json_object, ["text"], "Input should be 'text'"],
    [{ type: "xml" }, ["text", "json_object", "json_schema"], "'text', 'json_object' or 'json_schema'"],
    [{}, ["text"], "None"],
    [forms.json_object, ["text", "json_object"], undefined],
    [forms.text, ["text"], undefined],
    [undefined, ["text"], undefined],
    [forms.json_schema, undefined, undefined],
  ];
  for (const [format, responseFormats, named] of cases) {
    const got = read(format, { responseFormats });
    assert.equal("reply" in got, named !== undefined, JSON.stringify(format));
    if (!("reply" in got)) continue;
    const { message, ...others } = errorIn(got.reply);
    assert.equal(got.reply.status, 500);
    assert.deepEqual(others, { type: "internal_server_error", param: null, code: null });
    assert.ok(message.includes(named ?? "?"), message);
  }
});

test("an unknown form is a mistake of the client's where the server knows them all", () => {
  const got = read({ type: "xml" });
  assert.ok("reply" in got);
  assert.equal(got.reply.status, 400);
});

test("a schema that the model does not see is none of the prompt, and still that of the answer", () => {
  const shown = read(forms.json_schema);
  const hidden = read(forms.json_schema, { showsSchema: false });
  assert.ok(!("reply" in shown) && !("reply" in hidden));
  const text = JSON.stringify(schema);
  assert.deepEqual([shown.schemaCharacters, shown.schemaText], [text.length, text]);
  assert.deepEqual([hidden.schemaCharacters, hidden.schemaKey, hidden.schemaText], [0, 0, text]);
  assert.deepEqual(hidden.schema, shown.schema);
});

test("fields are named as words of their own, in any message, those within objects as well", () => {
  const named = (text: string, given: JSONSchema): boolean =>
    namesFields(
      [
        { role: "system", content: "Reply." },
        { role: "user", content: text },
      ],
      given,
    );
  assert.equal(named("- reason: text", schema), true);
  assert.equal(named('{"reason": "…"}', schema), true);
  assert.equal(named("reasoning and reasons and pre_reason", schema), false);
  assert.equal(named("", { type: "object", properties: {} }), true);
  const inner: JSONSchema = { type: "object", properties: { "a.b (c)": { type: "string" } }, required: ["a.b (c)"] };
  const outer: JSONSchema = {
    type: "object",
    properties: { list: { type: "array", items: inner } },
    required: ["list"],
  };
  assert.equal(named("- list: each with\n  - a.b (c): text", outer), true);
  assert.equal(named("- list: each with\n  - axb (c): text", outer), false);
  const chosen: JSONSchema = { anyOf: [{ $ref: "#/$defs/one" }], $defs: { one: inner } };
  assert.equal(named("list", chosen), false);
});
