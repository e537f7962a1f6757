import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { arrayFit, parseArray } from "../../src/table/array-text.ts";
import { fitCharacters } from "../../src/table/text-fit.ts";

const fit = arrayFit(fitCharacters("text", 5), "text[]");
const same = (text: string): string => text;

test("an array of texts is read back as it was written, whatever is in them", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 5 }),
    fc.constantFrom("", "NULL", "{", '"', "\\", ",", " a "),
  );
  const element = fc.option(text.filter((one) => one.isWellFormed() && one.length <= 5));
  fc.assert(
    fc.property(
      fc.oneof(fc.array(element), fc.array(fc.array(element, { minLength: 1 }), { minLength: 1 })),
      (given) => {
        const fitted = fit(given);
        assert.ok(fitted.ok);
        assert.deepEqual(parseArray(String(fitted.value), same), given);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

test("arrays are read as servers write them: with bounds, without quotes, with another delimiter", () => {
  assert.deepEqual(parseArray("[0:1]={a,NULL}", same), ["a", null]);
  assert.deepEqual(parseArray("{{1,2},{3,4}}", Number), [
    [1, 2],
    [3, 4],
  ]);
  assert.deepEqual(parseArray("{(1,2);(3,4)}", same, ";"), ["(1,2)", "(3,4)"]);
  assert.deepEqual(parseArray("{}", same), []);
  assert.throws(() => parseArray("no array", same), TypeError);
});

test("what is no array, and an element that does not fit, are rejected", () => {
  assert.deepEqual(
    [5, { a: 1 }, ["too long"], [["too long"]], [new Map()]].map((value) => fit(value).ok),
    Array(5).fill(false),
  );
  assert.deepEqual(fit("{as,it,is}"), { ok: true, value: "{as,it,is}" });
});
