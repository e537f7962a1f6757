import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { AnswerSampler } from "../../../src/llm/mock/sample-answer.ts";
import { drawsFor } from "../../../src/testing/simulator/request-hash.ts";
import { cutJSON, placesIn, putOutOfEnum, putOutOfRange } from "../../../src/testing/simulator/spoil.ts";
import { toStrictSchema } from "../../../src/validation/strict-schema.ts";
import { randomSchema } from "../../support/random-schema.ts";

const messages = [{ role: "user", content: "A text. Another sentence." }] as const;

function spoilt(
  schema: z.ZodObject,
  how: typeof putOutOfRange,
  time = 0,
): { readonly value: unknown; readonly valid: boolean } {
  const { json, undoNulls } = toStrictSchema(schema);
  const value = new AnswerSampler(1).answer(messages, json);
  how(value, json, drawsFor(1, 1, time));
  return { value, valid: schema.safeParse(undoNulls(value)).success };
}

test("a number goes beyond its limits, in nested objects, lists, unions and references as well", () => {
  const score = z.number().min(-2).max(2);
  const schemas = [
    z.object({ score, name: z.string() }),
    z.object({ list: z.array(z.object({ score })).min(1) }),
    z.object({ inner: z.object({ score: score.nullable() }) }),
    z.object({
      either: z.discriminatedUnion("k", [z.object({ k: z.literal("a"), score }), z.object({ k: z.literal("b") })]),
    }),
    z.object({ low: z.int().min(5) }),
    z.object({ low: z.int().max(5) }),
  ];
  for (const schema of schemas) {
    const { value, valid } = spoilt(schema, putOutOfRange);
    assert.ok(!valid, JSON.stringify(value));
  }
});

test("without a limited number a text becomes too long; without one of those a value gets another type", () => {
  for (const schema of [
    z.object({ text: z.string().max(50), n: z.number() }),
    z.object({ a: z.string() }),
    z.object({ a: z.boolean(), n: z.number() }),
  ]) {
    assert.ok(!spoilt(schema, putOutOfRange).valid);
    assert.ok(!spoilt(schema, putOutOfEnum).valid);
  }
});

test("a value leaves its enum", () => {
  const schema = z.object({ kind: z.enum(["a", "b"]), list: z.array(z.enum(["c"])), text: z.string() });
  for (let time = 0; time < 20; time += 1) assert.ok(!spoilt(schema, putOutOfEnum, time).valid);
});

test("the next answer to a row is wrong in another way, so that it does not look as if the model does not learn", () => {
  const schema = z.object({ confidence: z.number().min(0).max(1), kind: z.enum(["a", "b"]) });
  for (const how of [putOutOfRange, putOutOfEnum]) {
    const texts = Array.from({ length: 50 }, (_, time) => JSON.stringify(spoilt(schema, how, time).value));
    assert.equal(new Set(texts).size, 50);
  }
});

test("any schema with a single value in it can be spoilt", () => {
  fc.assert(
    fc.property(randomSchema(), fc.nat(1000), (schema, time) => {
      const { json, undoNulls } = toStrictSchema(schema);
      const before = new AnswerSampler(1).answer(messages, json);
      if (placesIn(before, json).length === 0) return;
      for (const how of [putOutOfRange, putOutOfEnum]) {
        const after = structuredClone(before);
        how(after, json, drawsFor(1, 1, time));
        assert.notDeepEqual(undoNulls(after), undoNulls(before));
      }
    }),
    { numRuns: 200, seed: 23 },
  );
});

test("a cut answer is no JSON, its parser's message says where, and it is not the one that was shown before", () => {
  const text = JSON.stringify({
    reasoning: "Because it is so. 😀",
    category: "a",
    confidence: 0.5,
    list: [1, true, null],
  });
  for (let time = 0; time < 500; time += 1) {
    const cut = cutJSON(text, drawsFor(1, 1, time), undefined);
    assert.throws(() => JSON.parse(cut), /at position/);
    assert.notEqual(cutJSON(text, drawsFor(1, 1, time), cut), cut);
  }
  for (const tiny of ["{}", "[]", '""']) assert.throws(() => JSON.parse(cutJSON(tiny, drawsFor(1, 1, 0), undefined)));
});
