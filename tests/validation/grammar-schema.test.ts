import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import type { JSONSchema } from "../../src/json/json-schema.ts";
import { grammarPattern } from "../../src/validation/grammar-pattern.ts";
import { toGrammarSchema } from "../../src/validation/grammar-schema.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

function fieldOf(schema: z.ZodType): JSONSchema {
  const { properties = {} } = toGrammarSchema(toStrictSchema(z.object({ field: schema })).json);
  const { field } = properties;
  assert.ok(typeof field === "object");
  return field;
}

test("limits that a grammar can hold an answer to are keywords, the others stay in the description", () => {
  assert.deepEqual(fieldOf(z.iso.date().describe("The day")), {
    type: "string",
    format: "date",
    description: "The day",
  });
  assert.deepEqual(fieldOf(z.string().min(1).max(200)), { type: "string", minLength: 1, maxLength: 200 });
  assert.deepEqual(fieldOf(z.string().regex(/^[A-Z]{3}$/)), { type: "string", pattern: "^[A-Z]{3}$" });
  assert.deepEqual(fieldOf(z.int().min(1).max(5)), { type: "integer", minimum: 1, maximum: 5 });
  assert.deepEqual(fieldOf(z.array(z.string()).min(2).max(4)), {
    ...{ type: "array", items: { type: "string" }, minItems: 2, maxItems: 4 },
  });
  assert.deepEqual(fieldOf(z.number().min(0).max(1).describe("Share")), {
    ...{ type: "number", description: 'Share Limits: {"minimum":0,"maximum":1}' },
  });
  assert.deepEqual(fieldOf(z.email().max(50)), {
    type: "string",
    maxLength: 50,
    description: 'Limits: {"format":"email"}',
  });
  assert.deepEqual(fieldOf(z.string().max(4000)), { type: "string", description: 'Limits: {"maxLength":4000}' });
});

test("limits within objects, lists, alternatives and definitions are found, too", () => {
  const Visit = z.object({ day: z.iso.date() }).meta({ id: "Visit" });
  const schema = toGrammarSchema(
    toStrictSchema(z.object({ first: Visit, others: z.array(Visit).max(3), end: z.iso.date().nullable() })).json,
  );
  assert.equal(JSON.stringify(schema).match(/"format":"date"/g)?.length, 2);
  assert.ok(!JSON.stringify(schema).includes("Limits"));
});

test("a schema without limits stays as it is", () => {
  const plain = toStrictSchema(z.object({ a: z.string(), b: z.enum(["x", "y"]).nullable(), c: z.boolean() })).json;
  assert.deepEqual(toGrammarSchema(plain), plain);
});

test("patterns have the form of a grammar, or none", () => {
  const forms: readonly (readonly [RegExp, string | undefined])[] = [
    [/^\d{4}-\d\d$/, "^[0-9]{4}-[0-9][0-9]$"],
    [/^(?:a|b)+$/, "^(a|b)+$"],
    [/^[\w.-]+@x$/, "^[A-Za-z0-9_.-]+@x$"],
    [/^a+?$/, "^a+$"],
    [/^\+?[0-9() ]{3,20}$/, "^\\+?[0-9() ]{3,20}$"],
    [/^a|b$/, undefined],
    [/abc/, undefined],
    [/^abc/, undefined],
    [/^a\$/, undefined],
    [/^(?=a)b$/, undefined],
    [/^(?<name>a)$/, undefined],
    [/^(a)\1$/, undefined],
    [/^\bword\b$/, undefined],
    [/^\p{L}+$/u, undefined],
    [/^[^\d]$/, undefined],
    [/^x{0,5000}$/, undefined],
  ];
  for (const [pattern, form] of forms) assert.equal(grammarPattern(pattern.source), form, pattern.source);
});

test("whatever a pattern is, texts that its form for grammars matches are texts that it matches", () => {
  const parts = fc.constantFrom(
    "a",
    "\\d",
    "[\\w-]",
    "[^a]",
    "(b|c)",
    "(?:d\\.)",
    "x?",
    "y+?",
    "z{1,3}",
    "|",
    ".",
    "\\s",
  );
  const patterns = fc.array(parts, { maxLength: 6 }).map((all) => `^${all.join("")}$`);
  fc.assert(
    fc.property(patterns, fc.string({ unit: fc.constantFrom(..."abcdxyz01.- "), maxLength: 8 }), (pattern, text) => {
      const form = grammarPattern(pattern);
      if (form === undefined) assert.ok(pattern.includes("|"), pattern);
      else if (new RegExp(form).test(text)) assert.match(text, new RegExp(pattern));
    }),
    { numRuns: 3000, seed: 9 },
  );
});
