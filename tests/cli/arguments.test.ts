import assert from "node:assert/strict";
import { test } from "node:test";
import { addParameter, addText, wholeNumber } from "../../src/cli/arguments.ts";

test("a whole number from 1 up is taken; anything else is refused", () => {
  assert.equal(wholeNumber("20"), 20);
  for (const text of ["0", "-1", "1.5", "ten", "", " 1", "1e3"]) {
    assert.throws(() => wholeNumber(text), /Expected a whole number from 1 up/, text);
  }
});

test("texts and parameters are gathered, and the ones before are not touched", () => {
  const before = addText("a");
  assert.deepEqual([addText("b", before), before], [["a", "b"], ["a"]]);
  const first = addParameter("a=1");
  assert.deepEqual([addParameter("b==", first), first], [{ a: "1", b: "=" }, { a: "1" }]);
  assert.throws(() => addParameter("=1"), /Expected name=value/);
});
