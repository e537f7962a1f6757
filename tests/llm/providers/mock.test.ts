import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMRequest, LLMResponse } from "../../../src/contracts/provider.ts";
import { type MockFaults, MockProvider, type MockProviderOptions } from "../../../src/llm/providers/mock.ts";
import { toStrictSchema } from "../../../src/validation/strict-schema.ts";
import { failsWith } from "../../support/error-facts.ts";
import { randomSchema } from "../../support/random-schema.ts";

const { signal } = new AbortController();
const Answer = z.object({ reasoning: z.string(), category: z.enum(["A", "B"]), confidence: z.number().min(0).max(1) });

function request(text: string, schema: z.ZodObject = Answer): LLMRequest {
  return {
    messages: [
      { role: "system", content: "Classify." },
      { role: "user", content: `<text>\n${text}\n</text>` },
    ],
    schema: { name: "out", json: toStrictSchema(schema).json },
    maxOutputTokens: 512,
    cacheKey: "key",
  };
}

/** The response of a call, or the code of its error. */
async function outcome(provider: MockProvider, asked: LLMRequest): Promise<LLMResponse | string> {
  try {
    return await provider.complete(asked, signal);
  } catch (error) {
    if (error instanceof ProviderError) return error.code;
    throw error;
  }
}

test("an answer is valid for the schema, with usage and the model's name", async () => {
  const response = await new MockProvider({ model: "mock-4" }).complete(request("some words"), signal);
  assert.ok(Answer.safeParse(JSON.parse(response.text)).success);
  assert.equal(response.model, "mock-4");
  assert.equal(response.finishReason, "stop");
  assert.ok(response.usage.inputTokens > 0 && response.usage.outputTokens > 0);
});

test("the same requests get the same answers, from another mock and in another order", async () => {
  await fc.assert(
    fc.asyncProperty(randomSchema(), fc.array(fc.string(), { maxLength: 4 }), fc.nat(), async (schema, texts, seed) => {
      const requests = texts.map((text) => request(text, schema));
      const ask = async (asked: readonly LLMRequest[]): Promise<string[]> => {
        const provider = new MockProvider({ seed });
        const responses: string[] = [];
        for (const each of asked) responses.push((await provider.complete(each, signal)).text);
        return responses;
      };
      assert.deepEqual(await ask(requests), (await ask(requests.toReversed())).toReversed());
    }),
    { numRuns: 50, seed: 11 },
  );
});

test("a list of answers is used up in the order of the calls; then come samples", async () => {
  const responses = [
    "as it comes",
    { json: { a: 1 } },
    { text: "no", finishReason: "refusal" as const },
    new ProviderError("row", "OWN", "own"),
  ];
  const provider = new MockProvider({ responses });
  const outcomes: unknown[] = [];
  for (let call = 0; call < 5; call += 1) outcomes.push(await outcome(provider, request("x")));
  const texts = outcomes.map((each) => z.object({ text: z.string() }).safeParse(each).data?.text);
  assert.deepEqual(texts.slice(0, 3), ["as it comes", '{"a":1}', "no"]);
  assert.equal(outcomes[3], "OWN");
  assert.ok(Answer.safeParse(JSON.parse(texts[4] ?? "")).success);
  assert.equal(z.object({ finishReason: z.string() }).parse(outcomes[2]).finishReason, "refusal");
});

test("a function is asked for each call, and where it gives nothing the answer is a sample", async () => {
  const numbers: number[] = [];
  const provider = new MockProvider({
    responses: ({ messages }, callNumber) => {
      numbers.push(callNumber);
      return messages.at(-1)?.content.includes("scripted") === true ? "scripted" : undefined;
    },
  });
  assert.equal((await provider.complete(request("scripted"), signal)).text, "scripted");
  assert.notEqual((await provider.complete(request("other"), signal)).text, "scripted");
  assert.deepEqual(numbers, [1, 2]);
});

test("each fault is what it says", async () => {
  const meet = async (fault: keyof MockFaults): Promise<LLMResponse | string> =>
    await outcome(new MockProvider({ faults: { [fault]: 1 } }), request("some words of a row"));
  assert.equal(await meet("serverError"), "SERVICE_UNAVAILABLE");
  assert.equal(await meet("rateLimit"), "RATE_LIMITED");
  assert.equal(await meet("connectionReset"), "NETWORK_ERROR");
  const responses = new Map<string, LLMResponse>();
  for (const fault of ["invalidJSON", "outOfRange", "refusal", "contentFilter", "length"] as const) {
    const met = await meet(fault);
    assert.ok(typeof met === "object");
    responses.set(fault, met);
  }
  assert.throws(() => JSON.parse(responses.get("invalidJSON")?.text ?? "{}"), SyntaxError);
  assert.equal(Answer.safeParse(JSON.parse(responses.get("outOfRange")?.text ?? "{}")).success, false);
  assert.equal(responses.get("refusal")?.finishReason, "refusal");
  assert.equal(responses.get("contentFilter")?.finishReason, "content_filter");
  assert.equal(responses.get("length")?.finishReason, "length");
});

test("out of range means a missing field where no field is a number", async () => {
  const schema = z.object({ a: z.string(), b: z.string() });
  const { text } = await new MockProvider({ faults: { outOfRange: 1 } }).complete(request("x", schema), signal);
  assert.deepEqual(Object.keys(z.record(z.string(), z.unknown()).parse(JSON.parse(text))), ["b"]);
});

test("faults come in the given share, the same in every run, and a retry meets others", async () => {
  const run = async (): Promise<string[]> => {
    const provider = new MockProvider({ faults: { serverError: 0.2, rateLimit: 0.1 } });
    const outcomes: string[] = [];
    for (let row = 0; row < 1000; row += 1) {
      const met = await outcome(provider, request(`row ${row}`));
      outcomes.push(typeof met === "string" ? met : "fine");
    }
    return outcomes;
  };
  const first = await run();
  assert.deepEqual(await run(), first);
  const count = (word: string): number => first.filter((each) => each === word).length;
  assert.ok(count("SERVICE_UNAVAILABLE") > 150 && count("SERVICE_UNAVAILABLE") < 250);
  assert.ok(count("RATE_LIMITED") > 60 && count("RATE_LIMITED") < 140);
  const provider = new MockProvider({ faults: { serverError: 0.5 } });
  const tries: (LLMResponse | string)[] = [];
  for (let call = 0; call < 20; call += 1) tries.push(await outcome(provider, request("one row")));
  assert.ok(tries.some((each) => typeof each === "object"));
});

test("a latency is waited for, and an abort ends the wait", async () => {
  const controller = new AbortController();
  const waiting = new MockProvider({ latencyMs: 60_000 }).complete(request("x"), controller.signal);
  controller.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  await assert.rejects(new MockProvider().complete(request("x"), AbortSignal.abort()), { name: "AbortError" });
  const { finishReason } = await new MockProvider({ latencyMs: [1, 3] }).complete(request("x"), signal);
  assert.equal(finishReason, "stop");
});

test("the fingerprint changes with what changes answers, and not with the latency", () => {
  const of = (options: MockProviderOptions): string => new MockProvider(options).fingerprint();
  assert.equal(of({}), of({ latencyMs: 5 }));
  assert.equal(new Set([of({}), of({ seed: 2 }), of({ model: "m" }), of({ faults: { length: 0.1 } })]).size, 4);
});

test("wrong options are rejected at construction", () => {
  const wrong: readonly (readonly [MockProviderOptions, ErrorFacts])[] = [
    [{ seed: -1 }, { where: "seed", got: "-1" }],
    [{ latencyMs: -1 }, { where: "latencyMs", got: "-1" }],
    [{ latencyMs: [5, 1] }, { where: "latencyMs", got: "an array of 2" }],
    [{ faults: { serverError: 1.5 } }, { where: "serverError", got: "1.5" }],
    [{ faults: { serverError: 0.6, rateLimit: 0.6 } }, { where: "faults", got: 1.2 }],
    [{ faults: { serverErorr: 0.1 } as MockFaults }, { where: "serverErorr", nearest: "serverError" }],
    [{ model: "" }, { where: "model", got: '""' }],
    [{ responses: "text" as never }, { where: "responses", got: '"text"' }],
  ];
  for (const [options, facts] of wrong) {
    assert.throws(() => new MockProvider(options), failsWith("INVALID_OPTION", facts));
  }
});
