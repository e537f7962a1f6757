import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import type { ProviderErrorClass } from "../../../src/llm/provider-error.ts";
import {
  requestIdOf,
  retryAfterOf,
  serviceError,
  type ServiceFailure,
} from "../../../src/llm/chat-completions/service-error.ts";

const settings = {
  credential: "the credential setting",
  endpoint: "the endpoint setting",
  deployment: "the deployment setting",
};

function errorOf(status: number, body: unknown = "", headers: ServiceFailure["headers"] = {}) {
  return serviceError({ status, headers, body: typeof body === "string" ? body : JSON.stringify(body), settings });
}

describe("each status has the class and the code of the table in the design", () => {
  const filter = { error: { code: "content_filter", message: "filtered" } };
  const policy = { error: { code: null, innererror: { code: "ResponsibleAIPolicyViolation" } } };
  const quota = { error: { code: "insufficient_quota" } };
  const tooLong = { error: { code: "context_length_exceeded" } };
  const cases: readonly (readonly [string, number, unknown, Record<string, string>, ProviderErrorClass, string])[] = [
    ["401", 401, "", {}, "run", "AUTHENTICATION_FAILED"],
    ["402", 402, "", {}, "run", "QUOTA_EXHAUSTED"],
    ["403", 403, "", {}, "row", "FORBIDDEN"],
    ["404 DeploymentNotFound", 404, { error: { code: "DeploymentNotFound" } }, {}, "row", "DEPLOYMENT_NOT_FOUND"],
    ["404 of a gateway", 404, "<html>", {}, "row", "DEPLOYMENT_NOT_FOUND"],
    ["408", 408, "", {}, "transient", "TIMEOUT"],
    ["409", 409, "", {}, "transient", "SERVICE_UNAVAILABLE"],
    ["425", 425, "", {}, "transient", "SERVICE_UNAVAILABLE"],
    ["499", 499, "", {}, "transient", "SERVICE_UNAVAILABLE"],
    ["500", 500, "", {}, "transient", "SERVICE_UNAVAILABLE"],
    ["502", 502, "<html>", {}, "transient", "SERVICE_UNAVAILABLE"],
    ["503", 503, "", {}, "transient", "SERVICE_UNAVAILABLE"],
    ["529", 529, "", {}, "transient", "SERVICE_UNAVAILABLE"],
    ["429", 429, "", {}, "transient", "RATE_LIMITED"],
    ["429 with ten minutes", 429, "", { "retry-after": "600" }, "transient", "RATE_LIMITED"],
    ["429 with more than ten minutes", 429, "", { "retry-after": "601" }, "run", "QUOTA_EXHAUSTED"],
    ["429 of a quota that is used up", 429, quota, {}, "run", "QUOTA_EXHAUSTED"],
    ["400 content_filter", 400, filter, {}, "row", "CONTENT_FILTER"],
    ["400 ResponsibleAIPolicyViolation", 400, policy, {}, "row", "CONTENT_FILTER"],
    ["400 invalid_prompt", 400, { error: { code: "invalid_prompt" } }, {}, "row", "CONTENT_FILTER"],
    ["400 context_length_exceeded", 400, tooLong, {}, "row", "CONTEXT_LENGTH_EXCEEDED"],
    [
      "400 of vLLM",
      400,
      { message: "This model's maximum context length is 4096" },
      {},
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "400 of llama.cpp",
      400,
      { error: { message: "exceeds the available context size", code: 400 } },
      {},
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    ["413", 413, "", {}, "row", "CONTEXT_LENGTH_EXCEEDED"],
    ["another 400", 400, { error: { code: "unsupported_value" } }, {}, "row", "BAD_REQUEST"],
    ["422", 422, "", {}, "row", "BAD_REQUEST"],
    ["a redirect", 307, "", { location: "https://elsewhere.example" }, "row", "BAD_REQUEST"],
  ];
  for (const [name, status, body, headers, errorClass, code] of cases) {
    test(name, () => {
      const error = errorOf(status, body, headers);
      assert.deepEqual([error.class, error.code, error.facts["status"]], [errorClass, code, status]);
      assert.ok(error.message.startsWith(String(status)), error.message);
    });
  }
});

test("an error that a setting causes names the settings to check", () => {
  const named = (status: number): string[] => {
    const { hint = "" } = errorOf(status).facts;
    return [...Object.values(settings), "maxInputCharacters"].filter((name) => hint.includes(name));
  };
  assert.deepEqual(named(401), [settings.credential]);
  assert.deepEqual(named(403), [settings.endpoint]);
  assert.deepEqual(named(404), [settings.endpoint, settings.deployment]);
  assert.deepEqual(named(302), [settings.endpoint]);
  assert.deepEqual(named(413), ["maxInputCharacters"]);
});

test("the filters that acted are named, and no others", () => {
  const results = {
    hate: { filtered: false, severity: "safe" },
    violence: { filtered: true, severity: "high" },
    jailbreak: { filtered: true, detected: true },
  };
  const innererror = { code: "ResponsibleAIPolicyViolation", content_filter_result: results };
  const error = errorOf(400, { error: { code: "content_filter", message: "Jane Doe was filtered", innererror } });
  assert.deepEqual([error.code, error.facts.where], ["CONTENT_FILTER", ["violence", "jailbreak"]]);
  assert.ok(!error.message.includes("Jane"), error.message);
});

test("the detail holds the service's own words, as they may quote the row; the message names code and parameter", () => {
  const said = "Invalid value for 'messages[1].content': 'Jane Doe, born 1970'";
  const error = errorOf(400, { error: { code: "invalid_value", param: "messages[1].content", message: said } });
  assert.deepEqual(error.facts.where, ["invalid_value", "messages[1].content"]);
  assert.equal(error.detail, `${error.message}: ${said}`);
  const long = errorOf(400, { error: { code: "Jane Doe was here", message: "x".repeat(5000) } });
  assert.ok(!JSON.stringify(long).includes("Jane"), long.message);
  assert.equal(long.detail.length, long.message.length + 2 + 300);
  assert.ok(errorOf(400, { statusCode: 400, message: "of a gateway" }).detail.endsWith(": of a gateway"));
  assert.ok(errorOf(400, { error: "said as a text" }).detail.endsWith(": said as a text"));
  assert.ok(!inspect(errorOf(400, { error: "Jane Doe" })).includes("Jane"));
});

test("whatever the body of an error is, it is an error of the table, with no more of the body than its code", () => {
  const statuses = fc.constantFrom(302, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503);
  const bodies = fc.oneof(
    fc.json(),
    fc.string(),
    fc.anything().map((message) => ({ error: { message, code: message } })),
  );
  fc.assert(
    fc.property(statuses, bodies, (status, body) => {
      const error = errorOf(status, typeof body === "string" ? `${body} Jane Doe` : { ...body, text: "Jane Doe" });
      assert.ok(!JSON.stringify(error).includes("Jane"));
      assert.equal(error.status, status);
    }),
    { numRuns: 200, seed: 8 },
  );
});

test("the id of a request is the gateway's, or else the service's", () => {
  assert.equal(requestIdOf({ "x-request-id": "x", "apim-request-id": "a" }), "a");
  assert.equal(requestIdOf({ "x-request-id": ["x", "y"] }), "x");
  assert.equal(requestIdOf({}), undefined);
  assert.equal(errorOf(500, "", { "x-request-id": "x" }).requestId, "x");
});

test("the wait is retry-after-ms, else retry-after in seconds or as a date", () => {
  const now = Date.parse("2025-02-02T10:30:00Z");
  assert.equal(retryAfterOf({ "retry-after-ms": "1500", "retry-after": "60" }, now), 1500);
  assert.equal(retryAfterOf({ "retry-after": "2.5" }, now), 2500);
  assert.equal(retryAfterOf({ "retry-after": "Sun, 02 Feb 2025 10:31:00 GMT" }, now), 60_000);
  assert.equal(retryAfterOf({ "retry-after": "Sun, 02 Feb 2025 10:00:00 GMT" }, now), 0);
  assert.equal(retryAfterOf({ "retry-after-ms": "soon", "retry-after": "1" }, now), 1000);
  assert.equal(retryAfterOf({ "retry-after-ms": "", "retry-after": "1" }, now), 1000);
  assert.equal(retryAfterOf({ "retry-after-ms": "-1" }, now), undefined);
  assert.equal(retryAfterOf({ "retry-after": "soon" }, now), undefined);
  assert.equal(retryAfterOf({}, now), undefined);
  assert.equal(errorOf(429, "", { "retry-after-ms": "20" }).retryAfterMs, 20);
  assert.equal(errorOf(429, "", { "retry-after": "86400" }).retryAfterMs, 86_400_000);
});
