import assert from "node:assert/strict";
import { test } from "node:test";
import { SentCalls } from "../../../src/llm/limits/sent-calls.ts";
import { SlowStart } from "../../../src/llm/limits/slow-start.ts";

/** So many calls of 500 tokens were accepted, then the quota was empty from 100 ms on, and a probe was accepted at 1100 ms. */
function begun(countBefore: number) {
  const calls = new SentCalls();
  const accept = (nowMs: number): void => {
    calls.add(500, nowMs).isAnswered = true;
  };
  for (let number = 0; number < countBefore; number += 1) accept(0);
  accept(1100);
  const slowStart = new SlowStart();
  slowStart.begin(100, calls, 10_000, 1100);
  return { accept, slowStart, paceAt: (nowMs: number) => slowStart.paceAt(nowMs, calls) };
}

test("it begins at twice the pace at which the probe was let through, and doubles with each accepted call up to the full pace", () => {
  const { accept, paceAt } = begun(1);
  assert.equal(paceAt(1100), 1000);
  accept(1600);
  assert.equal(paceAt(1600), 2000);
  accept(1700);
  accept(1800);
  assert.equal(paceAt(1800), 8000);
  accept(1900);
  assert.deepEqual([paceAt(1900), paceAt(1900)], [10_000, undefined], "it is over then");
});

test("a rejection ends it", () => {
  const { slowStart, paceAt } = begun(1);
  slowStart.end();
  assert.equal(paceAt(1100), undefined);
});

test("there is none where three calls went through at once, nor where none did before the probe", () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((count) => begun(count).paceAt(1100)),
    [undefined, 1000, 1000, undefined],
  );
});
