import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { type BrokenRule, brokenRule, ContentFreeSentence } from "../../src/errors/broken-rule.ts";
import { valueAt } from "../../src/errors/wording.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

/** The rules that a value breaks, without knowing the schema. */
function rulesOf(schema: z.ZodType, value: unknown): readonly BrokenRule[] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  return issues.map((issue) => brokenRule(issue, valueAt(value, issue.path)));
}

/** The rules that a field's value breaks, with the field's own limits as keywords. */
function knowing(field: z.ZodType, value: unknown): readonly BrokenRule[] {
  const schema = z.object({ field });
  const keywords = toStrictSchema(schema).full.properties?.["field"];
  assert.ok(typeof keywords === "object");
  const issues = schema.safeParse({ field: value }).error?.issues ?? [];
  return issues.map((issue) => brokenRule(issue, value, keywords));
}

const category = z.enum(["Refund", "Billing", "Billing / Refund", "Shipping"]);
const choices = ["Refund", "Billing", "Billing / Refund", "Shipping"];

describe("what a schema finds is a rule, with its facts", () => {
  const cases: readonly (readonly [string, z.ZodType, unknown, BrokenRule])[] = [
    [
      "a word that resembles two of the choices",
      category,
      "Biling",
      { kind: "choice", choices, nearest: ["Billing", "Billing / Refund"] },
    ],
    ["a word that resembles none", category, "Zoo of animals", { kind: "choice", choices, nearest: [] }],
    ["a number where a word is wanted", category, 5, { kind: "choice", choices, nearest: [] }],
    ["another value than the only one", z.literal("visit"), null, { kind: "choice", choices: ["visit"], nearest: [] }],
    ["unknown fields", z.strictObject({}), { a: 1, b: 2 }, { kind: "known-fields", unknown: ["a", "b"] }],
    ["a missing value", z.string(), undefined, { kind: "type", type: "string" }],
    ["another type", z.int(), "two", { kind: "type", type: "number" }],
    ["a broken number where a whole one is wanted", z.int(), 1.5, { kind: "type", type: "int" }],
    ["a number that is no multiple", z.number().multipleOf(5), 7, { kind: "multiple", divisor: 5 }],
    ["a text without the format", z.iso.date(), "tomorrow", { kind: "format", format: "date" }],
    [
      "a text that does not match a pattern",
      z.string().regex(/^[A-Z]\d+$/),
      "x",
      { kind: "pattern", pattern: "/^[A-Z]\\d+$/" },
    ],
    ["a text with another beginning", z.string().startsWith("ICD-"), "x", { kind: "start", text: "ICD-" }],
    ["a text with another end", z.string().endsWith("."), "x", { kind: "end", text: "." }],
    ["a text without a part", z.string().includes("@"), "x", { kind: "part", text: "@" }],
    ["none of the alternatives", z.union([z.string(), z.number()]), true, { kind: "alternatives" }],
    [
      "a text that is too long",
      z.string().max(4),
      "12345",
      { kind: "size", unit: "characters", bound: { side: "most", limit: 4 }, got: 5 },
    ],
    [
      "a list that is too short",
      z.array(z.string()).min(2),
      [],
      { kind: "size", unit: "items", bound: { side: "least", limit: 2 }, got: 0 },
    ],
    [
      "a number beyond its only limit",
      z.number().max(1),
      2,
      { kind: "limit", side: "most", isInclusive: true, limit: "1" },
    ],
    [
      "a number on a limit that is not included",
      z.number().gt(0),
      0,
      { kind: "limit", side: "least", isInclusive: false, limit: "0" },
    ],
    ["a bigint", z.bigint().min(5n), 3n, { kind: "limit", side: "least", isInclusive: true, limit: "5" }],
    [
      "a date",
      z.date().max(new Date(0)),
      new Date(1),
      { kind: "limit", side: "most", isInclusive: true, limit: "1970-01-01T00:00:00.000Z" },
    ],
    [
      "a text that was made a number",
      z.coerce.number().max(5),
      "10",
      { kind: "limit", side: "most", isInclusive: true, limit: "5" },
    ],
    [
      "a number that was made a text: its length is not known",
      z.coerce.string().max(3),
      12345,
      { kind: "size", unit: "characters", bound: { side: "most", limit: 3 } },
    ],
    [
      "a rule of the user's own",
      z.number().refine(() => false, "must be even"),
      7,
      { kind: "own", sentence: "must be even" },
    ],
  ];
  for (const [name, schema, value, rule] of cases) test(name, () => assert.deepEqual(rulesOf(schema, value), [rule]));
});

describe("a field whose two limits are known has both in the rule", () => {
  const cases: readonly (readonly [string, z.ZodType, unknown, BrokenRule])[] = [
    ["a number", z.number().min(0).max(1), 1.5, { kind: "range", minimum: 0, maximum: 1 }],
    [
      "a text",
      z.string().min(3).max(4),
      "1",
      { kind: "size", unit: "characters", bound: { side: "both", minimum: 3, maximum: 4 }, got: 1 },
    ],
    [
      "a text that must only not be empty has the limit that it breaks",
      z.string().min(1).max(4),
      "12345",
      { kind: "size", unit: "characters", bound: { side: "most", limit: 4 }, got: 5 },
    ],
    [
      "a list",
      z.array(z.int()).min(2).max(3),
      [1],
      { kind: "size", unit: "items", bound: { side: "both", minimum: 2, maximum: 3 }, got: 1 },
    ],
    ["a format has the name that JSON Schema gives it", z.url(), "x", { kind: "format", format: "uri" }],
  ];
  for (const [name, field, value, rule] of cases) test(name, () => assert.deepEqual(knowing(field, value), [rule]));
});

test("a text is measured in code points, or in UTF-16 units if only these are too many", () => {
  const [points] = rulesOf(z.string().max(3), "🙂🙂🙂🙂");
  assert.partialDeepStrictEqual(points, { got: 4 });
  const units = z.string().check(({ value, issues }) => {
    issues.push({ code: "too_big", origin: "string", maximum: 5, inclusive: true, input: value });
  });
  assert.partialDeepStrictEqual(rulesOf(units, "🙂🙂🙂")[0], { got: 6 });
});

test("only a check of ours says that its sentence is free of content", () => {
  const rule = (params: Record<string, unknown>): BrokenRule | undefined => {
    const schema = z.string().check(({ issues, value }) => {
      issues.push({ code: "custom", message: "say less", input: value, params });
    });
    return rulesOf(schema, "secret")[0];
  };
  assert.deepEqual(rule({ ...new ContentFreeSentence("shorter") }), { kind: "own", sentence: "say less" });
  const ours: object = new ContentFreeSentence("must be shorter");
  assert.deepEqual(rule(ours as Record<string, unknown>), {
    ...{ kind: "own", sentence: "say less", contentFree: "must be shorter" },
  });
});
