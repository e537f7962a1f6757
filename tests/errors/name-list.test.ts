import assert from "node:assert/strict";
import { test } from "node:test";
import { listItems, listNames } from "../../src/errors/name-list.ts";

test("names stand in quotes, whatever is in them", () => {
  assert.equal(listNames(["a", 'say "b"', "c\nd"]), '"a", "say \\"b\\"", "c\\nd"');
});

test("no names are none", () => {
  assert.equal(listNames([]), "none");
});

test("of a long list fifty are shown, and how many more there are", () => {
  const numbers = Array.from({ length: 60 }, (_, index) => index);
  assert.match(listItems(numbers), /^0, 1, .*, 49 and 10 more$/);
  assert.match(listItems(numbers.slice(0, 50)), /, 49$/);
  assert.match(listNames(numbers.map(String)), /"49" and 10 more$/);
});
