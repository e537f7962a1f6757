import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { settingsText } from "../../src/pipeline/settings-text.ts";

/** Settings that differ from each other. */
const different: readonly unknown[] = [
  undefined,
  0,
  "0",
  0n,
  Number.NaN,
  false,
  [],
  {},
  [[]],
  new Map([["a", 1]]),
  new Map([["a", 2]]),
  new Set(["a"]),
  new Date(0),
  new Date(1),
  /a/,
  /a/i,
  Buffer.from("a"),
  new URL("https://one.example"),
  new URL("https://two.example"),
  (s: { a: string }) => s.a,
  (s: { b: string }) => s.b,
  { a: 1 },
  { a: 1, b: 1 },
  { b: 1 },
  z.string(),
  z.string().max(3),
  z.string().max(4),
  z.string().nullable(),
  z.string().describe("a name"),
  z.object({ a: z.string().meta({ examples: ["one"] }) }),
  z.enum(["a", "b"]),
  z.enum(["a", "c"]),
  z.object({ a: z.string() }),
  z.object({ a: z.number() }),
  z.object({ a: z.string().optional() }),
  z.strictObject({ a: z.string() }),
  z.object({ a: z.string().refine((text) => text.length > 1) }),
  z.object({ a: z.string().refine((text) => text.length > 2) }),
  z.string().transform((text) => text.trim()),
  z.string().transform((text) => text.toUpperCase()),
  z.string().regex(/a/),
  z.string().regex(/b/),
  z.lazy(() => z.string()),
  z.lazy(() => z.number()),
  new MockProvider({ model: "one" }),
  new MockProvider({ model: "two" }),
];

test("no two settings have one text", () => {
  const texts = different.map((value) => settingsText({ value }));
  for (const [index, text] of texts.entries()) assert.equal(texts.indexOf(text), index, text);
});

test("the text of a schema is the same after its use, and whatever the order of properties", () => {
  const schema = z.object({
    a: z.string().max(3),
    b: z.array(z.union([z.number(), z.null()])),
    c: z.record(z.string(), z.any()),
  });
  const before = settingsText(schema);
  schema.safeParse({ a: "abcd", b: [1], c: {} });
  z.toJSONSchema(schema);
  schema.extend({ d: z.string() });
  assert.equal(settingsText(schema), before);
  assert.equal(settingsText({ a: 1, b: 2 }), settingsText({ b: 2, a: 1 }));
});

test("what holds itself has a text", () => {
  const Node = z.object({
    name: z.string(),
    get children() {
      return z.array(Node);
    },
  });
  assert.equal(typeof settingsText(Node), "string");
  const own: { self?: unknown } = {};
  own.self = own;
  assert.equal(settingsText(own), settingsText({ self: own }.self));
});
