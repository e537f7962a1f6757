import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { foreignWording, quote, valueAt, wordingOf } from "../../src/errors/wording.ts";

/** What is said of a value that a schema refuses, without knowing the schema. */
function wordings(schema: z.ZodType, value: unknown): readonly [string, string][] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  return issues.map((issue) => wordingOf(issue, valueAt(value, issue.path))).map((said) => [said.message, said.detail]);
}

test("a limit is that of what was measured, also where the value was made another type first", () => {
  assert.deepEqual(wordings(z.coerce.number().max(5), "10"), [
    ["must be less than or equal to 5, got a text of 2 characters", 'must be less than or equal to 5, got "10"'],
  ]);
  assert.deepEqual(wordings(z.coerce.string().max(3), 12345), [
    ["must have at most 3 characters, got a number", "must have at most 3 characters, got 12345"],
  ]);
  assert.deepEqual(wordings(z.date().max(new Date(0)), new Date(1)), [
    [
      "must be less than or equal to 1970-01-01T00:00:00.000Z, got a date",
      'must be less than or equal to 1970-01-01T00:00:00.000Z, got "1970-01-01T00:00:00.001Z"',
    ],
  ]);
  assert.deepEqual(wordings(z.bigint().min(5n), 3n), [
    ["must be more than or equal to 5, got a bigint", 'must be more than or equal to 5, got "3"'],
  ]);
});

test("a rule of the user's own is told in the detail only, on one line", () => {
  const schema = z.string().refine(() => false, { error: ({ input }) => `no\n${String(input)}` });
  assert.deepEqual(wordings(schema, "secret"), [
    ["breaks a rule of the schema, got a text of 6 characters", 'no secret, got "secret"'],
  ]);
  assert.deepEqual(foreignWording("no secret", null), {
    message: "breaks a rule of the schema, got NULL",
    detail: "no secret, got null",
  });
});

test("what JSON lacks is quoted all the same", () => {
  assert.equal(quote({ at: new Date(0), big: 5n }), '{"at":"1970-01-01T00:00:00.000Z","big":"5"}');
});
