import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceError } from "../../../src/llm/chat-completions/service-error.ts";
import * as replies from "../../../src/testing/simulator/replies.ts";

const settings = { credential: "c", endpoint: "e", deployment: "d" };

/** The error that the provider makes of a reply. */
function understood(reply: replies.Reply) {
  const { status, body, headers = [] } = reply;
  const pairs = headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? ""] as const] : []));
  return serviceError({ status, body, headers: Object.fromEntries(pairs), settings });
}

test("each error is understood as what it stands for", () => {
  const cases: [replies.Reply, string, string][] = [
    [replies.unauthorizedReply(), "run", "AUTHENTICATION_FAILED"],
    [replies.deploymentNotFoundReply(), "row", "DEPLOYMENT_NOT_FOUND"],
    [replies.rateLimitReply("requests", 50, ""), "transient", "RATE_LIMITED"],
    [replies.flexShortageReply(), "transient", "RATE_LIMITED"],
    [replies.quotaExhaustedReply(), "run", "QUOTA_EXHAUSTED"],
    [replies.serverErrorReply(), "transient", "SERVICE_UNAVAILABLE"],
    [replies.unavailableReply(), "transient", "SERVICE_UNAVAILABLE"],
    [replies.contextLengthReply(9), "row", "CONTEXT_LENGTH_EXCEEDED"],
    [replies.badSchemaReply("no"), "row", "BAD_REQUEST"],
    [replies.promptFilteredReply(), "row", "CONTENT_FILTER"],
  ];
  for (const [reply, errorClass, code] of cases) {
    const error = understood(reply);
    assert.deepEqual([error.class, error.code], [errorClass, code]);
  }
  assert.deepEqual(understood(replies.promptFilteredReply()).facts.where, ["violence"]);
});

test("a wait is given in milliseconds, and in whole seconds that are not earlier", () => {
  const { headers, body } = replies.rateLimitReply("tokens", 1001, " (detail)");
  assert.deepEqual(headers, ["retry-after-ms", "1001", "retry-after", "2"]);
  assert.match(body, /"type":"tokens".*"code":"rate_limit_exceeded"/);
});

test("a completion has its usage added up", () => {
  const reply = replies.completionReply({
    ...{ id: "i", model: "m", finishReason: "stop", content: "{}", refusal: null },
    ...{ promptTokens: 7, cachedTokens: 2, completionTokens: 5, reasoningTokens: 3, tier: "flex" },
  });
  const { usage, choices, service_tier: tier } = JSON.parse(reply.body);
  assert.deepEqual([usage.total_tokens, tier], [12, "flex"]);
  assert.deepEqual(choices[0].message, { role: "assistant", content: "{}", refusal: null });
  assert.match(replies.pageReply().contentType ?? "", /html/);
});
