import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { serviceError, type ServiceFailure } from "../../../src/llm/chat-completions/service-error.ts";
import { costOfFailure } from "../../../src/llm/call/worst-case.ts";

const settings = { credential: "the key", endpoint: "the address", deployment: "the deployment" };
const flex = { tier: "flex", owner: "AzureOpenAIProvider" };

function errorOf(
  status: number,
  body: unknown,
  headers: ServiceFailure["headers"] = {},
  asked: ServiceFailure["asked"] = flex,
) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return serviceError({ status, headers, body: text, settings, asked });
}

const said = (message: string, fields: object = {}): object => ({ error: { message, ...fields } });

describe("a tier without room", () => {
  const cases: readonly (readonly [string, number, unknown])[] = [
    ["the code of OpenAI", 429, said("", { code: "resource_unavailable", type: "rate_limit_error" })],
    ["the type of OpenAI", 429, said("Please try again.", { type: "resource_unavailable" })],
    ["the words of OpenAI's and Azure's pages", 429, said("Resource Unavailable", { code: "429" })],
    ["the words with the status", 429, said("429 Resource Unavailable")],
    ["a plain text", 429, "Resource temporarily unavailable"],
    ["words about resources", 429, said("There are not enough resources for this request.")],
    ["words about the tier", 429, said("Flex processing has insufficient capacity, retry later")],
    ["Groq's status", 498, said("", { code: "flex_tier_capacity_exceeded" })],
    ["Groq's code", 429, said("", { code: "capacity_exceeded" })],
  ];
  for (const [name, status, body] of cases) {
    test(name, () => {
      const error = errorOf(status, body, { "retry-after": "7" });
      assert.deepEqual([error.class, error.code, error.kind], ["transient", "NO_CAPACITY", "capacity"]);
      assert.deepEqual([error.facts["tier"], error.retryAfterMs], ["flex", 7000]);
      assert.equal(costOfFailure(error, undefined, 5), 0, "it is not billed");
    });
  }

  test("a wait of hours is not the quota's", () => {
    assert.equal(errorOf(429, said("Resource Unavailable"), { "retry-after": "7200" }).code, "NO_CAPACITY");
  });
});

describe("a 429 of the quota stays what it is in Flex", () => {
  const azure =
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 6 seconds.";
  const cases: readonly (readonly [string, unknown, string])[] = [
    ["no word of anything", "", "RATE_LIMITED"],
    ["the words of Azure", said(azure, { code: "429" }), "RATE_LIMITED"],
    [
      "the words of Azure for calls",
      said("You have exceeded the call rate limit for your current capacity"),
      "RATE_LIMITED",
    ],
    [
      "the code of OpenAI",
      said("Rate limit reached for m on tokens per min (TPM)", { code: "rate_limit_exceeded" }),
      "RATE_LIMITED",
    ],
    [
      "the code with words that could be either's",
      said("Not enough capacity", { code: "rate_limit_exceeded" }),
      "RATE_LIMITED",
    ],
    ["an empty account", said("", { code: "insufficient_quota" }), "QUOTA_EXHAUSTED"],
  ];
  for (const [name, body, code] of cases) test(name, () => assert.equal(errorOf(429, body).code, code));

  test("and any 429 is where no tier was asked for, or the standard one", () => {
    const body = said("Resource Unavailable", { code: "resource_unavailable" });
    for (const tier of ["default", "auto"])
      assert.equal(errorOf(429, body, {}, { ...flex, tier }).code, "RATE_LIMITED");
    assert.equal(serviceError({ status: 429, headers: {}, body: JSON.stringify(body), settings }).code, "RATE_LIMITED");
  });
});

describe("a model without the tier", () => {
  const cases: readonly (readonly [string, number, unknown])[] = [
    ["the parameter", 400, said("no", { type: "invalid_request_error", param: "service_tier" })],
    ["OpenAI's words", 400, said("Flex is not available for this model.", { type: "invalid_request_error" })],
    [
      "OpenAI's words about the argument",
      400,
      said("Invalid service_tier argument", { type: "invalid_request_error" }),
    ],
    ["words about the value", 400, said("Unsupported service_tier: flex")],
    ["a server that knows no tiers", 422, { detail: [{ loc: ["body", "service_tier"], msg: "extra", type: "extra" }] }],
  ];
  for (const [name, status, body] of cases) {
    test(name, () => {
      const error = errorOf(status, body);
      assert.deepEqual([error.class, error.scope, error.code], ["run", "run", "TIER_UNAVAILABLE"]);
      assert.partialDeepStrictEqual(error.facts, {
        where: "AzureOpenAIProvider",
        tier: "flex",
        kind: "setting",
        status,
      });
      assert.match(error.facts.hint ?? "", /leave out tier/);
    });
  }

  test("is never taken from a 400 alone, nor from words that may be a row's", () => {
    const quoted = said("Invalid text: 'Flex is not available for this model'", { type: "invalid_request_error" });
    for (const body of ["", said("bad", { type: "invalid_request_error", param: "messages" }), quoted]) {
      const error = errorOf(400, body);
      assert.deepEqual([error.class, error.code], ["row", "BAD_REQUEST"]);
      assert.match(error.facts.hint ?? "", /leave out tier/, "but it may be");
    }
    const unasked = serviceError({ status: 400, headers: {}, body: JSON.stringify(quoted), settings });
    assert.equal(unasked.facts.hint, undefined);
  });

  test("no word of the service stands in the message", () => {
    const error = errorOf(400, said("Invalid service_tier argument: Jane Doe", { param: "service_tier" }));
    assert.equal(error.message.includes("Jane"), false);
    assert.equal(error.detail.includes("Jane"), true);
  });
});

test("whatever a service says, in a tier too, is one error of a class, and shows no content", () => {
  const texts = fc.oneof(fc.string(), fc.constantFrom("Resource Unavailable", "service_tier", "rate limit", "flex"));
  const bodies = fc.record({ code: texts, type: texts, param: texts, message: texts.map((text) => `${text} SECRET`) });
  fc.assert(
    fc.property(fc.constantFrom(400, 401, 404, 422, 429, 498, 500, 503), bodies, (status, error) => {
      const { message, class: errorClass } = errorOf(status, { error });
      return !message.includes("SECRET") && ["transient", "row", "run"].includes(errorClass);
    }),
  );
});
