import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { closest, isTypingMistake } from "../../src/errors/closest.ts";

test("a misspelt word is near to the word itself and to those that begin with it", () => {
  assert.deepEqual(closest("Biling", ["Refund", "Billing / Refund", "Shipping", "Billing"], 3), [
    "Billing",
    "Billing / Refund",
  ]);
});

test("letter case does not matter, and the candidate is given as it is written", () => {
  assert.deepEqual(closest("routine checkup", ["Emergency", "Routine Checkup"], 1), ["Routine Checkup"]);
});

test("a word of few letters is near to what begins with it, and to nothing that merely resembles it", () => {
  assert.deepEqual(closest("em", ["Emergency", "Routine"], 3), ["Emergency"]);
  assert.deepEqual(closest("xm", ["Emergency", "Routine"], 3), []);
});

test("an empty word is near to nothing of any length", () => {
  assert.deepEqual(closest("", ["Emergency", "Routine"], 3), []);
});

test("at most as many as wanted are given, and among equals the first", () => {
  assert.deepEqual(closest("cat", ["bat", "rat", "hat"], 2), ["bat", "rat"]);
});

test("a word of 100,000 characters against 1,000 candidates is answered without a table for each", () => {
  const candidates = Array.from({ length: 1000 }, (_, index) => `category ${index}`);
  assert.deepEqual(closest("x".repeat(100_000), candidates, 3), []);
});

test("the result is a part of the candidates, no longer than the limit, and a candidate is nearest to itself", () => {
  const words = fc.uniqueArray(fc.string({ maxLength: 12 }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), words, fc.integer({ min: 0, max: 5 }), (word, candidates, limit) => {
      const found = closest(word, candidates, limit);
      assert.ok(found.length <= limit);
      assert.ok(found.every((candidate) => candidates.includes(candidate)));
      assert.equal(new Set(found).size, found.length);
      const [first] = candidates;
      if (first === undefined) return;
      assert.equal(closest(first, candidates, 1)[0]?.toLowerCase(), first.toLowerCase());
    }),
    { numRuns: 200, seed: 1 },
  );
});

test("a typing mistake is one character, or two that changed places: no more is told than what was written", () => {
  for (const [one, other] of [
    ["noet", "note"],
    ["notes", "note"],
    ["note", "notes"],
    ["nute", "note"],
    ["Complaint ID", "complaint_id"],
    ["id", "ID"],
  ] as const)
    assert.ok(isTypingMistake(one, other), `${one} ${other}`);
  for (const [one, other] of [
    ["name", "Jane"],
    ["id", "ids"],
    ["note", "note: Jane Doe"],
    ["note", "toen"],
    ["", ""],
    ["-", "+"],
  ] as const)
    assert.ok(!isTypingMistake(one, other), `${one} ${other}`);
});
