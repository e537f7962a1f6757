import assert from "node:assert/strict";
import { test } from "node:test";
import { LLMEtlError } from "../../src/errors/llm-etl-error.ts";
import { ProviderError } from "../../src/llm/provider-error.ts";

test("only an error of class run ends the run; the others are of the row", () => {
  for (const errorClass of ["transient", "row", "run"] as const) {
    const error = new ProviderError(errorClass, "RATE_LIMITED", "429");
    assert.ok(error instanceof LLMEtlError);
    assert.equal(error.class, errorClass);
    assert.equal(error.scope, errorClass === "run" ? "run" : "row");
    assert.equal(error.name, "ProviderError");
  }
});

test("the facts of a failed call are kept", () => {
  const cause = new Error("reset");
  const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 2, reasoningTokens: 0 };
  const error = new ProviderError("transient", "MY_CODE", "said", {
    status: 500,
    requestId: "r",
    retryAfterMs: 5,
    usage,
    cause,
  });
  assert.equal(error.code, "MY_CODE");
  assert.deepEqual([error.status, error.requestId, error.retryAfterMs], [500, "r", 5]);
  assert.equal(error.usage, usage);
  assert.equal(error.cause, cause);
  assert.equal(error.detail, "said");
  assert.deepEqual(error.facts, { kind: "other", status: 500, requestId: "r", retryAfterMs: 5 });
});

test("a hint ends the message and the detail, and is among the facts", () => {
  const error = new ProviderError("run", "FORBIDDEN", "403", {
    where: "endpoint",
    hint: "check it",
    detail: "403: no",
  });
  assert.deepEqual([error.message, error.detail], ["403; check it", "403: no; check it"]);
  assert.deepEqual(error.facts, { kind: "access", where: "endpoint", hint: "check it" });
});

test("the detail may hold the service's own words", () => {
  const error = new ProviderError("row", "BAD_REQUEST", "400", { detail: "400: the row's text" });
  assert.deepEqual([error.message, error.detail], ["400", "400: the row's text"]);
});

test("the kind of a failure follows from its code and a 503, unless it is given", () => {
  const describeType = (code: string, facts = {}) => new ProviderError("transient", code, "said", facts).kind;
  assert.deepEqual(
    [
      describeType("RATE_LIMITED", { status: 503 }),
      describeType("SERVICE_UNAVAILABLE", { status: 500 }),
      describeType("NETWORK_ERROR"),
    ],
    ["rate-limit", "server", "network"],
  );
  assert.equal(describeType("SERVICE_UNAVAILABLE", { status: 503 }), "overload");
  assert.equal(describeType("MY_CODE"), "other");
  assert.equal(describeType("MY_CODE", { kind: "rate-limit" }), "rate-limit");
});
