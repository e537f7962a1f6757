import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutTrailingBlanks } from "../../src/table/trailing-blanks.ts";

test("only the blanks at the end go", () => {
  for (const [text, left] of [
    ["a b  ", "a b"],
    ["   ", ""],
    ["", ""],
    [" a", " a"],
    ["a\t ", "a\t"],
    ["a\n", "a\n"],
  ] as const)
    assert.equal(withoutTrailingBlanks(text), left);
});

test("blanks in the middle are looked at once", () => {
  const startedAt = performance.now();
  assert.equal(withoutTrailingBlanks(`${" ".repeat(300_000)}x `).length, 300_001);
  assert.ok(performance.now() - startedAt < 5000); // a pattern needs a minute
});
