import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { rateLimitOf, readCompletion } from "../../../src/llm/chat-completions/answer.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { completion, completionReading as reading } from "../../support/chat-server.ts";

const answer = (body: unknown, headers = {}) => ({ status: 200, headers, body: JSON.stringify(body) });

test("the remaining requests and tokens are read if the service names them", () => {
  const headers = { "x-ratelimit-remaining-requests": "19", "x-ratelimit-remaining-tokens": "9000" };
  const { rateLimit } = readCompletion(answer(completion({ content: "{}" }), headers), reading);
  assert.deepEqual(rateLimit, { remainingRequests: 19, remainingTokens: 9000 });
  assert.deepEqual(rateLimitOf({ "x-ratelimit-remaining-tokens": "7" }), {
    remainingRequests: undefined,
    remainingTokens: 7,
  });
  assert.equal(rateLimitOf({ "x-ratelimit-remaining-tokens": "-1", "x-ratelimit-remaining-requests": "" }), undefined);
});

test("a body that is not a completion is a transient error, which holds no part of it", () => {
  for (const body of ['{"choices":["Jane Doe"]}', "<html>Jane Doe", '{"choices":[{"message":{"content":"Jane Doe']) {
    assert.throws(
      () => readCompletion({ status: 200, headers: {}, body }, reading),
      (error) => {
        assert.ok(error instanceof ProviderError && error.code === "INVALID_RESPONSE" && error.class === "transient");
        return !inspect(error, { depth: 9 }).includes("Jane");
      },
    );
  }
});
