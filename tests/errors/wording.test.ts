import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BrokenRule } from "../../src/errors/broken-rule.ts";
import { foreignWording, oneLine, quote, valueAt, wordingOfRule } from "../../src/errors/wording.ts";

const secret = "Jane Doe";

/** A value that breaks each kind of rule. */
const broken: readonly (readonly [BrokenRule, unknown])[] = [
  [{ kind: "choice", choices: ["Billing", "Shipping"], nearest: ["Billing"] }, secret],
  [{ kind: "choice", choices: ["Billing", "Shipping"], nearest: [] }, secret],
  [{ kind: "choice", choices: ["Billing", "Shipping"], nearest: [] }, 5],
  [{ kind: "choice", choices: ["visit"], nearest: [] }, null],
  [{ kind: "known-fields", unknown: [secret] }, {}],
  [{ kind: "known-fields", unknown: [..."abcdefg"] }, {}],
  [{ kind: "type", type: "string" }, undefined],
  [{ kind: "type", type: "int" }, secret],
  [{ kind: "type", type: "null" }, [secret]],
  [{ kind: "multiple", divisor: 5 }, 7],
  [{ kind: "start", text: "ICD-" }, secret],
  [{ kind: "end", text: "." }, secret],
  [{ kind: "part", text: "@" }, secret],
  [{ kind: "pattern", pattern: "/^Q\\d$/" }, secret],
  [{ kind: "format", format: "date" }, secret],
  [{ kind: "alternatives" }, { name: secret }],
  [{ kind: "size", unit: "characters", bound: { side: "most", limit: 4 }, got: 8 }, secret],
  [{ kind: "size", unit: "characters", bound: { side: "most", limit: 4 } }, 12345],
  [{ kind: "size", unit: "items", bound: { side: "both", minimum: 2, maximum: 3 }, got: 1 }, [secret]],
  [{ kind: "range", minimum: 0, maximum: 1 }, 1.5],
  [{ kind: "limit", side: "least", isInclusive: false, limit: "0" }, 0],
  [{ kind: "limit", side: "most", isInclusive: true, limit: "5" }, secret],
  [{ kind: "own", sentence: `${secret}\nis bad` }, secret],
  [{ kind: "own", sentence: "say less", contentFree: "must be shorter" }, secret],
];

test("the sentences for people about a value that a schema rejects", (t) => {
  t.assert.snapshot(broken.map(([rule, value]) => wordingOfRule(rule, value)));
});

test("a message holds no content, and the detail shows the value or says how much of it there is", () => {
  for (const [rule, value] of broken) {
    const { message, detail } = wordingOfRule(rule, value);
    assert.ok(!message.includes(secret), message);
    const isMeasured = rule.kind === "size" && rule.got !== undefined;
    const shown = isMeasured ? String(rule.got) : rule.kind === "known-fields" ? quote(rule.unknown[0]) : quote(value);
    assert.ok(detail.includes(shown), detail);
  }
});

test("a sentence of the user's own is in the detail only, on one line", () => {
  const { message, detail } = foreignWording(`no\n${secret}`, null);
  assert.ok(!message.includes(secret), message);
  assert.ok(detail.includes(`no ${secret}`), detail);
});

test("a quoted value is JSON of at most 80 characters, and never half a character", () => {
  assert.equal(quote('say "hi"\n'), '"say \\"hi\\"\\n"');
  assert.equal(quote("x".repeat(200)), `"${"x".repeat(78)}…`);
  assert.equal(quote({ at: new Date(0), big: 5n }), '{"at":"1970-01-01T00:00:00.000Z","big":"5"}');
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

test("a path leads through own fields only", () => {
  assert.equal(valueAt({ a: [{ b: 1 }] }, ["a", 0, "b"]), 1);
  assert.equal(valueAt({}, ["constructor"]), undefined);
  assert.equal(valueAt("text", ["length"]), undefined);
});
