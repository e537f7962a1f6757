import assert from "node:assert/strict";
import { test } from "node:test";
import { showValue } from "../../src/table/show-value.ts";

test("a value is shown cut at 80 characters", () => {
  assert.equal(showValue("a"), '"a"');
  assert.equal(showValue("x".repeat(200)).length, 80);
  assert.equal(showValue(Symbol("s")), "a symbol");
  assert.equal(showValue(5n), '"5"');
});
