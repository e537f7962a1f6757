import assert from "node:assert/strict";
import { test } from "node:test";
import { Cliff } from "../../../src/llm/limits/cliff.ts";
import type { SentCall } from "../../../src/llm/limits/sent-calls.ts";

const callOf = (number: number): SentCall => ({
  number,
  sentAtMs: 0,
  tokens: 1,
  sentTokens: 0,
  cost: 1,
  isAnswered: false,
  isRejected: true,
});

/** The number of the first call of these at which it is a cliff, all calls before each being settled. */
function reachedAt(
  rejected: readonly number[],
  { cliff = new Cliff(), chance = 0, everyMs = 10 } = {},
): number | undefined {
  return rejected.find((number) => cliff.isReached(callOf(number), number + 1, chance, number * everyMs));
}

test("four rejections that are two thirds of the settled calls, or more, are a cliff", () => {
  assert.equal(reachedAt([0, 1, 2, 3]), 3);
  assert.equal(reachedAt([10, 11, 13, 15, 16]), 15);
  assert.equal(reachedAt([0, 1, 2]), undefined);
  assert.equal(reachedAt([0, 2, 4, 6, 8, 10, 12, 14]), undefined, "half");
});

test("rejections here and there are none, and do not hide one that comes later", () => {
  const spread = Array.from({ length: 30 }, (_, index) => 30 * index);
  assert.equal(reachedAt(spread), undefined);
  assert.equal(reachedAt([...spread, 900, 901, 902, 903]), 903);
});

test("rejections that are more than five seconds apart are none", () => {
  assert.equal(reachedAt([0, 1, 2, 3], { everyMs: 2000 }), undefined);
});

test("where some calls are rejected whatever the pace, it takes more of them", () => {
  assert.equal(reachedAt([10, 11, 13, 15, 16], { chance: 0.2 }), undefined);
  assert.equal(reachedAt([10, 11, 12, 14, 15, 16], { chance: 0.2 }), 16);
});

test("what has been judged counts no more", () => {
  const cliff = new Cliff();
  assert.equal(reachedAt([0, 1, 2, 3], { cliff }), 3);
  cliff.restart(8);
  assert.ok(cliff.isJudged(callOf(7)) && !cliff.isJudged(callOf(8)));
  assert.equal(reachedAt([4, 5, 6, 7, 8, 9, 10], { cliff }), undefined);
  assert.equal(reachedAt([11], { cliff }), 11);
});
