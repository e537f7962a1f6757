import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { JSONSchema } from "../../src/json/json-schema.ts";
import { sampleOf, type SampleOptions } from "../../src/json/sample.ts";

function sampled(type: z.ZodType, options?: SampleOptions): unknown {
  return sampleOf(z.toJSONSchema(type, { io: "input", unrepresentable: "any" }), options);
}

test("a sample has every field, one item, and values of each type", () => {
  const type = z.object({
    text: z.string(),
    day: z.iso.date().nullable(),
    time: z.iso.datetime(),
    count: z.int().min(3),
    share: z.number(),
    yes: z.boolean(),
    list: z.array(z.object({ a: z.literal("b") })),
    nothing: z.null(),
    named: z.object({ c: z.string() }).meta({ id: "Sampled" }).nullable(),
  });
  assert.deepEqual(sampled(type), {
    ...{ text: "x", day: "2026-01-01", time: "2026-01-01T00:00:00.000Z", count: 3, share: 1, yes: true },
    ...{ list: [{ a: "b" }], nothing: null, named: { c: "x" } },
  });
});

test("a variant takes another choice, and null where it may", () => {
  const type = z.object({
    kind: z.enum(["a", "b"]).nullable(),
    yes: z.boolean(),
    either: z.union([z.string(), z.number()]),
  });
  assert.deepEqual(sampled(type, { variant: 1 }), { kind: "b", yes: false, either: 1 });
  assert.deepEqual(sampled(type, { variant: 2 }), { kind: "a", yes: true, either: "x" });
  assert.deepEqual(sampled(type, { variant: "null" }), { kind: null, yes: true, either: "x" });
});

test("a schema that contains itself ends, and what a schema does not say is asked for", () => {
  const tree = z.object({
    get children() {
      return z.array(tree);
    },
  });
  assert.ok(JSON.stringify(sampled(tree)).length < 1000);
  assert.deepEqual(sampled(z.object({ any: z.any() }), { unknown: () => "?" }), { any: "?" });
  const itself: JSONSchema = { $ref: "#" };
  assert.equal(sampleOf(itself), null);
});
