import assert from "node:assert/strict";
import { test } from "node:test";
import { isDelimiter } from "../../src/csv/options.ts";

test("a delimiter is one character that means nothing else", () => {
  for (const fits of [",", ";", "\t", "|", " ", "§", "😀"]) assert.equal(isDelimiter.fits(fits), true, fits);
  for (const wrong of ["", ",,", '"', "\n", "\r", "\uFEFF", "\uD83D", 5, undefined]) {
    assert.equal(isDelimiter.fits(wrong), false, String(wrong));
  }
});
