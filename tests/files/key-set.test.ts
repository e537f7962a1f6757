import assert from "node:assert/strict";
import { test } from "node:test";
import { toExactText } from "../../src/files/exact-text.ts";
import { KeySet } from "../../src/files/key-set.ts";

test("a key seen before is answered with the position of the row that had it first", () => {
  const seen = new KeySet();
  assert.equal(seen.add(["a"], 1), undefined);
  assert.equal(seen.add(["b"], 2), undefined);
  assert.equal(seen.add(["a"], 3), 1);
  assert.equal(seen.add(["a"], 4), 1);
  seen.close();
});

test("keys that differ only in case, space, NUL, normal form or a lone surrogate are different keys", () => {
  const seen = new KeySet();
  const keys = ["a", "A", "a ", "a\0", "a\0b", "\u00e9", "e\u0301", "\ud800", "\ud801", "\ufffd", "1", "01", "1.0"];
  for (const [index, key] of keys.entries())
    assert.equal(seen.add([toExactText(key)], index), undefined, JSON.stringify(key));
  for (const [index, key] of keys.entries()) assert.equal(seen.add([toExactText(key)], 99), index, JSON.stringify(key));
  seen.close();
});

test("the first and the last of a hundred thousand keys are found again", () => {
  const seen = new KeySet();
  for (let index = 0; index < 100_000; index += 1) seen.add([`encounter-${index * 7919}`], index);
  assert.equal(seen.add(["encounter-0"], 1), 0);
  assert.equal(seen.add([`encounter-${99_999 * 7919}`], 1), 99_999);
  seen.close();
});
