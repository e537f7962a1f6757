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

describe("other services' ways to say so are understood", () => {
  const said = (message: string, more: object = {}): unknown => ({ error: { message, ...more } });
  const cases: readonly (readonly [string, number, unknown, ProviderErrorClass, string])[] = [
    [
      "Groq, too large",
      413,
      said("Request too large for model `x`: Limit 6000, Requested 7012"),
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "OpenAI, too large",
      429,
      said("Request too large for gpt-4o: Limit 30000, Requested 61337."),
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "a limit a minute",
      429,
      said("Rate limit reached: Limit 10000, Used 9000, Requested 2000."),
      "transient",
      "RATE_LIMITED",
    ],
    ["more than the limit", 429, said("TPM: Limit 10000, Requested 20000."), "row", "CONTEXT_LENGTH_EXCEEDED"],
    [
      "Mistral, too long",
      400,
      { message: "Prompt contains 9000 tokens, too large for model with 8192" },
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    ["xAI, too long", 400, { error: "This model's maximum prompt length is 131072" }, "row", "CONTEXT_LENGTH_EXCEEDED"],
    [
      "Anthropic, too long",
      400,
      said("prompt is too long: 210000 tokens > 200000 maximum"),
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "Gemini, too long",
      400,
      [said("The input token count (1) exceeds the maximum")],
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    [
      "a list as param",
      400,
      said("no", { param: ["a"], code: "context_length_exceeded" }),
      "row",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    ["OpenRouter, moderation", 403, said("x requires moderation on y", { code: 403 }), "row", "CONTENT_FILTER"],
    ["DashScope, filter", 400, { code: "DataInspectionFailed", message: "…" }, "row", "CONTENT_FILTER"],
    ["DeepSeek, empty", 402, said("Insufficient Balance"), "run", "QUOTA_EXHAUSTED"],
    ["Moonshot, empty", 429, said("…", { type: "exceeded_current_quota_error" }), "run", "QUOTA_EXHAUSTED"],
    ["DashScope, empty", 400, { code: "Arrearage", message: "…" }, "run", "QUOTA_EXHAUSTED"],
    [
      "a quota in words",
      429,
      said("You exceeded your current quota, check your billing details"),
      "row",
      "QUOTA_EXHAUSTED",
    ],
    [
      "Gemini, a minute",
      429,
      [said("You exceeded your current quota. Please retry in 38.2s.")],
      "transient",
      "RATE_LIMITED",
    ],
    [
      "Azure, a minute",
      429,
      said("exceeded token rate limit of your current pricing tier"),
      "transient",
      "RATE_LIMITED",
    ],
  ];
  for (const [name, status, body, errorClass, code] of cases) {
    test(name, () => {
      const error = errorOf(status, body);
      assert.deepEqual([error.class, error.code], [errorClass, code]);
    });
  }
});

test("the service's words stand in the detail, whatever the shape of its body", () => {
  const bodies: readonly unknown[] = [
    { error: { message: "the words" } },
    { error: "the words" },
    { message: "the words" },
    { detail: "the words" },
    { detail: [{ type: "extra_forbidden", loc: ["body", "temperature"], msg: "the words" }] },
    { errors: [{ message: "the words" }] },
    { title: "the words", status: 400 },
    { error: { type: "x", reason: "the words" } },
    [{ error: { message: "the words" } }],
    "the words",
    "<!doctype html><title>the words</title>",
    '\uFEFF{"error":"the words"}',
  ];
  for (const body of bodies) {
    const error = errorOf(400, body);
    assert.ok(error.detail.includes("the words"), JSON.stringify(body));
    assert.ok(!error.message.includes("the words"), error.message);
  }
  const { facts } = errorOf(422, bodies[4]);
  assert.deepEqual(facts.where, ["extra_forbidden", "body.temperature"]);
});

test("a page of many thousand brackets is read in no time", () => {
  const startedMs = performance.now();
  errorOf(400, `<html>${"<".repeat(1_000_000)}`);
  errorOf(400, said("retry ".repeat(200_000)));
  assert.ok(performance.now() - startedMs < 5000);
  function said(message: string): unknown {
    return { error: { message } };
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
