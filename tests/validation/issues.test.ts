import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { holdsNoContent, oneLine, quote } from "../../src/errors/wording.ts";
import { describeIssues, type Issue } from "../../src/validation/issues.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

function issuesOf(schema: z.ZodObject, answer: unknown): readonly Issue[] {
  const { error } = schema.safeParse(answer);
  return describeIssues(error?.issues ?? [], answer, toStrictSchema(schema).full);
}

/** The lines as the model is told them, and as a terminal may see them. */
function wordings(schema: z.ZodObject, answer: unknown): readonly [string, string][] {
  return issuesOf(schema, answer).map(({ path, detail, message }) => [`${path}: ${detail}`, `${path}: ${message}`]);
}

const category = z.enum(["Refund", "Billing", "Billing / Refund", "Shipping"]);

describe("what is wrong with an answer, as the model is told and as a terminal may see it", () => {
  const cases: readonly { name: string; schema: z.ZodObject; answer: unknown; detail: string; message: string }[] = [
    {
      name: "a number out of its range",
      schema: z.object({ confidence: z.number().min(0).max(1) }),
      answer: { confidence: 1.5 },
      detail: "confidence: must be between 0 and 1, got 1.5",
      message: "confidence: must be between 0 and 1, got a number",
    },
    {
      name: "a number beyond its only limit",
      schema: z.object({ n: z.number().max(1) }),
      answer: { n: 2 },
      detail: "n: must be less than or equal to 1, got 2",
      message: "n: must be less than or equal to 1, got a number",
    },
    {
      name: "a number on a limit that is not included",
      schema: z.object({ n: z.number().gt(0) }),
      answer: { n: 0 },
      detail: "n: must be more than 0, got 0",
      message: "n: must be more than 0, got a number",
    },
    {
      name: "a word that resembles two of the allowed ones",
      schema: z.object({ category }),
      answer: { category: "Biling" },
      detail: 'category: "Biling" is not one of the allowed values; closest: "Billing", "Billing / Refund"',
      message: "category: a text of 6 characters is not one of the allowed values",
    },
    {
      name: "a word that resembles none of the allowed ones",
      schema: z.object({ category }),
      answer: { category: "Zoo of animals" },
      detail: 'category: "Zoo of animals" is not one of the allowed values',
      message: "category: a text of 14 characters is not one of the allowed values",
    },
    {
      name: "a number where a word is wanted: never the whole list of words",
      schema: z.object({ category }),
      answer: { category: 5 },
      detail: "category: must be one of the allowed values, got 5",
      message: "category: must be one of the allowed values, got a number",
    },
    {
      name: "a choice that is missing: never the whole list of words",
      schema: z.object({ category }),
      answer: {},
      detail: "category: must be one of the allowed values, got nothing",
      message: "category: must be one of the allowed values, got nothing",
    },
    {
      name: "another value than the only one",
      schema: z.object({ kind: z.literal("visit") }),
      answer: { kind: null },
      detail: 'kind: must be "visit", got null',
      message: 'kind: must be "visit", got NULL',
    },
    {
      name: "a missing field",
      schema: z.object({ a: z.object({ b: z.string() }) }),
      answer: { a: {} },
      detail: "a.b: must be a string, got nothing",
      message: "a.b: must be a string, got nothing",
    },
    {
      name: "another type, in an array",
      schema: z.object({ list: z.array(z.object({ n: z.int() })) }),
      answer: { list: [{ n: 1 }, { n: "two" }] },
      detail: 'list.1.n: must be a number, got "two"',
      message: "list.1.n: must be a number, got a text of 3 characters",
    },
    {
      name: "a broken number where a whole one is wanted",
      schema: z.object({ n: z.int() }),
      answer: { n: 1.5 },
      detail: "n: must be an int, got 1.5",
      message: "n: must be an int, got a number",
    },
    {
      name: "a text that is too long",
      schema: z.object({ text: z.string().max(4) }),
      answer: { text: "12345" },
      detail: "text: must have at most 4 characters, got 5",
      message: "text: must have at most 4 characters, got 5",
    },
    {
      name: "a text that is too short for both of its limits",
      schema: z.object({ text: z.string().min(3).max(4) }),
      answer: { text: "1" },
      detail: "text: must have 3 to 4 characters, got 1",
      message: "text: must have 3 to 4 characters, got 1",
    },
    {
      name: "a list that is too short",
      schema: z.object({ list: z.array(z.string()).min(2) }),
      answer: { list: [] },
      detail: "list: must have at least 2 items, got 0",
      message: "list: must have at least 2 items, got 0",
    },
    {
      name: "a number that is no multiple",
      schema: z.object({ n: z.number().multipleOf(5) }),
      answer: { n: 7 },
      detail: "n: must be a multiple of 5, got 7",
      message: "n: must be a multiple of 5, got a number",
    },
    {
      name: "a text without the format",
      schema: z.object({ day: z.iso.date() }),
      answer: { day: "tomorrow" },
      detail: 'day: must have the format date, got "tomorrow"',
      message: "day: must have the format date, got a text of 8 characters",
    },
    {
      name: "a text that does not match a pattern: the pattern is told",
      schema: z.object({ code: z.string().regex(/^[A-Z]\d+$/) }),
      answer: { code: "x" },
      detail: 'code: must match /^[A-Z]\\d+$/, got "x"',
      message: "code: must match /^[A-Z]\\d+$/, got a text of 1 characters",
    },
    {
      name: "a text with another beginning",
      schema: z.object({ code: z.string().startsWith("ICD-") }),
      answer: { code: "x" },
      detail: 'code: must start with "ICD-", got "x"',
      message: 'code: must start with "ICD-", got a text of 1 characters',
    },
    {
      name: "a text with another end",
      schema: z.object({ code: z.string().endsWith(".") }),
      answer: { code: "x" },
      detail: 'code: must end with ".", got "x"',
      message: 'code: must end with ".", got a text of 1 characters',
    },
    {
      name: "a text without a part",
      schema: z.object({ code: z.string().includes("@") }),
      answer: { code: "x" },
      detail: 'code: must include "@", got "x"',
      message: 'code: must include "@", got a text of 1 characters',
    },
    {
      name: "none of the alternatives",
      schema: z.object({ value: z.union([z.string(), z.number()]) }),
      answer: { value: true },
      detail: "value: must fit one of the alternatives, got true",
      message: "value: must fit one of the alternatives, got a boolean",
    },
    {
      name: "a rule of the user's own: its words may hold content, so only the model sees them",
      schema: z.object({ n: z.number().refine(() => false, "must be even") }),
      answer: { n: 7 },
      detail: "n: must be even, got 7",
      message: "n: breaks a rule of the schema, got a number",
    },
  ];
  for (const { name, schema, answer, detail, message } of cases) {
    test(name, () => assert.deepEqual(wordings(schema, answer), [[detail, message]]));
  }
});

test("an answer that is no object is wrong as a whole", () => {
  assert.deepEqual(issuesOf(z.object({ a: z.string() }), "text"), [
    { path: "", message: "must be an object, got a text of 4 characters", detail: 'must be an object, got "text"' },
  ]);
});

test("unknown fields are named to the model, five at most, each cut", () => {
  const answer = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`${index}${"x".repeat(200)}`, 1]));
  const [issue] = issuesOf(z.strictObject({}), answer);
  assert.equal(issue?.message, "has unknown fields");
  assert.match(issue?.detail ?? "", /^has unknown fields: "0x+…, "1x+…, .* and others$/);
  assert.ok((issue?.detail.length ?? 0) < 500);
});

test("a check that knows its wording to hold no content may have it in the message", () => {
  const schema = z.object({
    text: z.string().check(({ issues, value }) => {
      issues.push({ code: "custom", message: "must be shorter", input: value, params: holdsNoContent });
    }),
  });
  assert.deepEqual(wordings(schema, { text: "secret" }), [
    ['text: must be shorter, got "secret"', "text: must be shorter, got a text of 6 characters"],
  ]);
});

test("a quoted value is JSON of at most 80 characters, and never half a character", () => {
  assert.equal(quote('say "hi"\n'), '"say \\"hi\\"\\n"');
  assert.equal(quote(undefined), "nothing");
  assert.equal(quote("x".repeat(200)), `"${"x".repeat(78)}…`);
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string({ unit: "grapheme", minLength: 60, maxLength: 120 })), (value) => {
      const text = quote(value);
      assert.ok(text.length <= 80, String(text.length));
      assert.ok(text.isWellFormed());
      assert.ok(!/[\n\r]/.test(text));
    }),
    { numRuns: 300, seed: 4 },
  );
});

test("somebody else's sentence is put on one line of at most 300 characters", () => {
  assert.equal(oneLine(" a\n- b:\r\n\tc "), "a - b: c");
  assert.equal(oneLine("x ".repeat(500)).length, 300);
});

test("whatever an answer holds, no message holds its texts, and no line is longer than its cap", () => {
  const schema = z.object({
    category,
    kind: z.literal("visit"),
    confidence: z.number().min(0).max(1),
    text: z.string().min(2).max(5),
    day: z.iso.date(),
    code: z.string().regex(/^Q\d$/),
    list: z.array(z.int()).max(2),
    value: z.union([z.boolean(), z.object({ deep: z.null() })]),
    own: z.unknown().superRefine((value, context) => {
      context.addIssue({ code: "custom", message: `the value ${JSON.stringify(value)} is bad` });
    }),
  });
  const { own, ...representable } = schema.shape;
  const { full } = toStrictSchema(z.object({ ...representable, own: z.string() }));
  const marker = "Jane_Doe";
  const text = fc.string({ unit: "grapheme", maxLength: 150 }).map((rest) => `${marker}${rest}`);
  const value = fc.oneof(text, fc.array(text), fc.record({ deep: text }), fc.double(), fc.constant(null));
  const names = [...Object.keys(representable), "own"];
  const answers = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
  assert.ok(own !== undefined);
  fc.assert(
    fc.property(answers, (answer) => {
      const { error } = schema.safeParse(answer);
      const issues = describeIssues(error?.issues ?? [], answer, full);
      assert.ok(issues.length > 0);
      for (const { message, detail } of issues) {
        assert.ok(!message.includes(marker), message);
        assert.ok(message.length <= 120, message);
        assert.ok(detail.length <= 300 + ", got ".length + 80, detail);
        assert.ok(!detail.includes("\n"), detail);
        assert.ok(detail.isWellFormed(), detail);
      }
    }),
    { numRuns: 200, seed: 5 },
  );
});
