import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { aiSdkError } from "../../../src/llm/ai-sdk/error.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";

const named = (name: string, fields: object = {}): Error => Object.assign(new Error("Jane Doe"), { name }, fields);

test("errors are recognised by their fields and names, and nothing else of theirs is kept", () => {
  const cases: readonly (readonly [unknown, string, string])[] = [
    [named("AI_APICallError", { statusCode: 503, requestBodyValues: "Jane Doe" }), "transient", "SERVICE_UNAVAILABLE"],
    [named("AI_APICallError", { statusCode: 200 }), "transient", "INVALID_RESPONSE"],
    [named("AI_APICallError", { isRetryable: true }), "transient", "NETWORK_ERROR"],
    [named("AI_NoContentGeneratedError"), "transient", "INVALID_RESPONSE"],
    [named("AI_UnsupportedFunctionalityError"), "run", "BAD_REQUEST"],
    [new TypeError("terminated"), "transient", "NETWORK_ERROR"],
    [new Error("Jane Doe"), "row", "PROVIDER_FAILED"],
    ["Jane Doe", "row", "PROVIDER_FAILED"],
  ];
  for (const [thrown, errorClass, code] of cases) {
    const error = aiSdkError("m", thrown);
    assert.deepEqual([error.class, error.code], [errorClass, code]);
    assert.ok(!inspect(error, { depth: 9 }).includes("Jane"), inspect(error));
  }
});

test("a missing setting ends the run and is named, and a ProviderError passes as it is", () => {
  const missing = Object.assign(new Error("AZURE_API_KEY is missing"), { name: "AI_LoadAPIKeyError" });
  const error = aiSdkError("m", missing);
  assert.deepEqual([error.class, error.code], ["run", "SETTING_MISSING"]);
  assert.ok(error.message.includes(missing.message), error.message);
  const own = new ProviderError("row", "REFUSAL", "no");
  assert.equal(aiSdkError("m", own), own);
});
