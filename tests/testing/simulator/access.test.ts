import assert from "node:assert/strict";
import { test } from "node:test";
import { isAccepted, type AccessRules } from "../../../src/testing/simulator/access.ts";

const any: AccessRules = { apiKeys: undefined, tokens: undefined };

test("without rules any key or token comes in, and none does not", () => {
  assert.ok(isAccepted({ "api-key": "k" }, any));
  assert.ok(isAccepted({ authorization: "Bearer t" }, any));
  for (const headers of [{}, { "api-key": "  " }, { authorization: "Bearer " }, { authorization: "Basic abc" }]) {
    assert.ok(!isAccepted(headers, any));
  }
});

test("a key is accepted in either header, and no other key", () => {
  const rules: AccessRules = { apiKeys: ["one", "two"], tokens: undefined };
  assert.ok(isAccepted({ "api-key": "two" }, rules));
  assert.ok(isAccepted({ authorization: "Bearer one" }, rules));
  assert.ok(!isAccepted({ "api-key": "three" }, rules));
  assert.ok(!isAccepted({ authorization: "Bearer three" }, rules));
});

test("an empty list of keys needs none, unless there are tokens", () => {
  assert.ok(isAccepted({}, { apiKeys: [], tokens: undefined }));
  assert.ok(!isAccepted({}, { apiKeys: [], tokens: ["t"] }));
  assert.ok(!isAccepted({ "api-key": "t" }, { apiKeys: [], tokens: ["t"] }));
  assert.ok(isAccepted({ authorization: "bearer t" }, { apiKeys: [], tokens: ["t"] }));
});

test("a token is one of a list, or what a function says yes to", () => {
  const rules: AccessRules = { apiKeys: ["key"], tokens: (token) => token.startsWith("fresh") };
  assert.ok(isAccepted({ authorization: "Bearer fresh-1" }, rules));
  assert.ok(!isAccepted({ authorization: "Bearer stale-1" }, rules));
  assert.ok(isAccepted({ authorization: "Bearer key" }, rules));
});
