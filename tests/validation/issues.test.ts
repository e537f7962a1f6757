import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { brokenRule } from "../../src/errors/broken-rule.ts";
import { valueAt, wordingOfRule } from "../../src/errors/wording.ts";
import { describeIssues, type Issue } from "../../src/validation/issues.ts";
import { ruleLine } from "../../src/validation/re-ask-wording.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

function issuesOf(schema: z.ZodObject, answer: unknown): readonly Issue[] {
  const { error } = schema.safeParse(answer);
  return describeIssues(error?.issues ?? [], answer, toStrictSchema(schema).full);
}

const category = z.enum(["Refund", "Billing", "Billing / Refund", "Shipping"]);

test("an issue has the dotted path of its field, a wording for people and a line for the model", () => {
  const schema = z.object({ list: z.array(z.object({ n: z.int() })), category });
  const answer = { list: [{ n: 1 }, { n: "two" }], category: "Biling" };
  const found = schema.safeParse(answer).error?.issues ?? [];
  const rules = found.map(
    (issue) => [brokenRule(issue, valueAt(answer, issue.path)), valueAt(answer, issue.path)] as const,
  );
  assert.deepEqual(
    issuesOf(schema, answer),
    rules.map(([rule, value], index) => ({
      code: ["type", "choice"][index],
      path: ["list.1.n", "category"][index],
      ...wordingOfRule(rule, value),
      reAsk: ruleLine(rule, value),
    })),
  );
});

test("an answer that is no object is wrong as a whole", () => {
  assert.deepEqual(
    issuesOf(z.object({ a: z.string() }), "text").map(({ path }) => path),
    [""],
  );
});

test("a limit is that of the field's schema, also deep in the answer", () => {
  const schema = z.object({ list: z.array(z.object({ n: z.number().min(0).max(1) })), text: z.string().min(3).max(4) });
  const answer = { list: [{ n: 2 }], text: "1" };
  const [first, second] = schema.safeParse(answer).error?.issues ?? [];
  assert.ok(first !== undefined && second !== undefined);
  const { full } = toStrictSchema(schema);
  const range = { kind: "range", minimum: 0, maximum: 1 } as const;
  const size = { kind: "size", unit: "characters", bound: { side: "both", minimum: 3, maximum: 4 }, got: 1 } as const;
  assert.deepEqual(
    describeIssues([first, second], answer, full).map(({ reAsk }) => reAsk),
    [ruleLine(range, 2), ruleLine(size, "1")],
  );
});

test("of a field that may be null, too, the model is sent how a format looks; answers to the older line are found", () => {
  const schema = z.object({
    at: z.iso.datetime().nullable(),
    day: z.iso.date().nullable(),
    link: z.url().nullable(),
    key: z.guid().nullable(),
  });
  const answer = { at: "tomorrow", day: "tomorrow", link: "here", key: "x" };
  const issues = describeIssues(schema.safeParse(answer).error?.issues ?? [], answer, toStrictSchema(schema).full);
  assert.deepEqual(
    issues.map(({ path, reAsk, olderReAsk }) => [path, reAsk, olderReAsk]),
    [
      [
        "at",
        'must be a date and time like 2024-03-31T14:05:00Z, got "tomorrow"',
        'must have the format datetime, got "tomorrow"',
      ],
      ["day", 'must be a date like 2024-03-31, got "tomorrow"', 'must have the format date, got "tomorrow"'],
      ["link", 'must be an address like https://example.com/page, got "here"', 'must have the format url, got "here"'],
      [
        "key",
        'must be a UUID like 123e4567-e89b-12d3-a456-426614174000, got "x"',
        'must have the format guid, got "x"',
      ],
    ],
  );
});

test("whatever an answer holds, no message holds its texts, and no line to the model is longer than its cap", () => {
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
      for (const { message, detail, reAsk } of issues) {
        assert.ok(!message.includes(marker), message);
        assert.ok(message.length <= 120, message);
        for (const line of [detail, reAsk ?? ""]) {
          assert.ok(line.length > 0 && line.length <= 300 + ", got ".length + 80, line);
          assert.ok(!line.includes("\n"), line);
          assert.ok(line.isWellFormed(), line);
        }
      }
    }),
    { numRuns: 200, seed: 5 },
  );
});
