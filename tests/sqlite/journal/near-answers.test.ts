import assert from "node:assert/strict";
import { test } from "node:test";
import { NearAnswers } from "../../../src/sqlite/journal/near-answers.ts";

const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
const answer = (number: number) =>
  ({ text: `${number}`, finishReason: "stop", model: "mock", usage, runId: "run-1" }) as const;

/** Answers of which each has its number for a fingerprint, and the blocks that were read of them. */
function numbered() {
  const blocks: (readonly [number, number])[] = [];
  const near = new NearAnswers((first, last) => {
    blocks.push([first, last]);
    return new Map(Array.from({ length: last - first + 1 }, (_, index) => [`${first + index}`, answer(first + index)]));
  });
  return { near, blocks };
}

test("where two answers of a block were looked up alone, all that stand beside them are there", () => {
  const { near, blocks } = numbered();
  near.found(37);
  assert.deepEqual([near.get("38"), blocks.length], [undefined, 0]);
  near.found(50);
  assert.deepEqual(blocks, [[32, 63]]);
  assert.deepEqual(near.get("38"), answer(38));
  assert.equal(near.get("64"), undefined);
});

test("answers that are looked up in no order are read one by one", () => {
  const { near, blocks } = numbered();
  for (let number = 1; number < 100_000; number += 97) near.found(number);
  assert.deepEqual(blocks, []);
});

test("few blocks are held: the last eight", () => {
  const { near } = numbered();
  for (let block = 0; block < 20; block += 1) {
    near.found(32 * block);
    near.found(32 * block + 1);
  }
  const held = Array.from({ length: 20 }, (_, block) => block).filter((block) => near.get(`${32 * block}`));
  assert.deepEqual(held, [12, 13, 14, 15, 16, 17, 18, 19]);
});

test("an answer that was dropped is not there any more; the others are", () => {
  const { near } = numbered();
  near.found(1);
  near.found(2);
  near.drop("3");
  assert.equal(near.get("3"), undefined);
  assert.deepEqual(near.get("4"), answer(4));
});
