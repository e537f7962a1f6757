import assert from "node:assert/strict";
import { test } from "node:test";
import { groupsOf } from "../../src/plan/measured-groups.ts";
import type { Unit } from "../../src/plan/sample.ts";

/** Strata of as many units as each text has letters: those with a capital letter are measured. Groups are written alike. */
function grouped(...strata: readonly string[]): readonly string[] {
  const units = (text: string): readonly Unit[] => [...text].map((key) => ({ key, size: 1, rows: 1 }));
  const all = strata.map((text) => ({ units: units(text), asked: [] }));
  const isMeasured = ({ key }: Unit): boolean => key === key.toUpperCase();
  return groupsOf(all, isMeasured).map(({ measured, rest }) => [...measured, ...rest].map(({ key }) => key).join(""));
}

test("strata with two measured units, or all, stay apart", () => {
  assert.deepEqual(grouped("A", "BCd", "EFGh"), ["A", "BCd", "EFGh"]);
});

test("a stratum with fewer than two measured of several becomes one with the next", () => {
  assert.deepEqual(grouped("Ab", "CDe"), ["ACDbe"]);
  assert.deepEqual(grouped("ab", "Cd", "Ef", "GHi"), ["CEabdf", "GHi"]);
});

test("the last one becomes one with those before it, as many as it needs", () => {
  assert.deepEqual(grouped("ABc", "DEf", "gh"), ["ABc", "DEfgh"]);
  assert.deepEqual(grouped("A", "B", "cd"), ["ABcd"]);
  assert.deepEqual(grouped("A", "B", "C", "de"), ["A", "BCde"]);
});

test("one measured unit of all, or none, is one group", () => {
  assert.deepEqual(grouped("ab", "Cd"), ["Cabd"]);
  assert.deepEqual(grouped("ab", "cd"), ["abcd"]);
  assert.deepEqual(grouped(), []);
});
