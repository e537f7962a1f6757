import assert from "node:assert/strict";
import { test } from "node:test";
import { addParameter, addText, amount, countOrShare, wholeNumber } from "../../src/cli/arguments.ts";

const invalid = { code: "commander.invalidArgument" };

test("a whole number from 1 up is taken; anything else is rejected", () => {
  assert.equal(wholeNumber("20"), 20);
  for (const text of ["0", "-1", "1.5", "ten", "", " 1", "1e3"]) {
    assert.throws(() => wholeNumber(text), invalid, text);
  }
});

test("an amount is a number above 0", () => {
  assert.deepEqual([amount("5"), amount("2.50"), amount(".01")], [5, 2.5, 0.01]);
  for (const text of ["0", "-1", "", " ", "five", "5 USD", "Infinity", "1,000"]) {
    assert.throws(() => amount(text), invalid, text);
  }
});

test("a count from 1 up is taken, and a share between 0 and 1", () => {
  assert.deepEqual(
    [countOrShare("1"), countOrShare("20"), countOrShare("0.05"), countOrShare(".5")],
    [1, 20, 0.05, 0.5],
  );
  for (const text of ["0", "0.0", "1.5", "1.0", "-1", "5%", "", "ten"]) {
    assert.throws(() => countOrShare(text), invalid, text);
  }
});

test("texts and parameters are gathered, and the ones before are not touched", () => {
  const before = addText("a");
  assert.deepEqual([addText("b", before), before], [["a", "b"], ["a"]]);
  const first = addParameter("a=1");
  assert.deepEqual([addParameter("b==", first), first], [{ a: "1", b: "=" }, { a: "1" }]);
  assert.throws(() => addParameter("=1"), invalid);
});
