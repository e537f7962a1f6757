import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { AnswerSampler } from "../../../src/llm/mock/sample-answer.ts";
import { toSampleable } from "../../../src/testing/simulator/sampleable-schema.ts";
import { toStrictSchema } from "../../../src/validation/strict-schema.ts";
import { randomSchema } from "../../support/random-schema.ts";

const sample = (schema: unknown): unknown =>
  new AnswerSampler(1).answer([{ role: "user", content: "Some text." }], toSampleable(schema));

test("a schema in the strict subset is sampled as it is", () => {
  fc.assert(
    fc.property(randomSchema(), (schema) => {
      const { json, undoNulls } = toStrictSchema(schema);
      assert.deepEqual(sample(json), new AnswerSampler(1).answer([{ role: "user", content: "Some text." }], json));
      schema.parse(undoNulls(sample(json)));
    }),
    { numRuns: 100, seed: 22 },
  );
});

test("a schema as other clients send it, with limits as keywords, gets an answer that is valid", () => {
  const schema = z.object({
    score: z.number().min(20).max(30),
    count: z.int().gt(4).lte(6),
    short: z.string().max(5),
    day: z.iso.date(),
    kind: z.literal("fixed"),
    many: z.array(z.boolean()).length(3),
    either: z.discriminatedUnion("t", [
      z.object({ t: z.literal("a") }),
      z.object({ t: z.literal("b"), x: z.number() }),
    ]),
    maybe: z.string().optional(),
    both: z.intersection(z.object({ l: z.string() }), z.object({ r: z.int().min(9) })),
  });
  schema.parse(sample(z.toJSONSchema(schema)));
});

test("definitions by either name, a schema with no type, and `true` are understood", () => {
  assert.deepEqual(
    Object.keys(
      Object(
        sample({ properties: { a: { $ref: "#/definitions/x" }, b: true }, definitions: { x: { type: "number" } } }),
      ),
    ),
    ["a", "b"],
  );
  assert.equal(typeof sample({}), "string");
});

test("the parts of an allOf are put together", () => {
  const one = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
  const other = { properties: { b: { allOf: [{ type: "number" }, { minimum: 5, maximum: 6 }] } }, required: ["b"] };
  const { a, b } = z.object({ a: z.string(), b: z.number().min(5).max(6) }).parse(sample({ allOf: [one, other] }));
  assert.ok(a !== "" && b >= 5);
  assert.deepEqual(toSampleable({ allOf: [one, other] }).required, ["a", "b"]);
});

test("a schema that is nested too deep is rejected before it can fill the stack", () => {
  let deep: unknown = { type: "string" };
  for (let level = 0; level < 5000; level += 1) deep = { type: "array", items: deep };
  assert.throws(() => toSampleable(deep), RangeError);
});
