import assert from "node:assert/strict";
import { test } from "node:test";
import { fits, misfit, showValue } from "../../../src/sql-server/write/fit.ts";

test("a fit has a value, a misfit a problem", () => {
  assert.deepEqual(fits(null), { ok: true, value: null });
  assert.deepEqual(misfit("too long"), { ok: false, problem: "too long" });
});

test("a value is shown as JSON, and cut", () => {
  assert.equal(showValue("a\nb"), String.raw`"a\nb"`);
  assert.equal(showValue(5n), '"5"');
  assert.equal(showValue(undefined), "nothing");
  assert.equal(showValue("x".repeat(1000)).length, 80);
});
