import assert from "node:assert/strict";
import { test } from "node:test";
import { Rounds } from "../../../src/llm/limits/rounds.ts";

/** Rounds with so many calls in the current one. */
function roundsWith(sentCount: number): Rounds {
  const rounds = new Rounds();
  rounds.current.sentCount = sentCount;
  return rounds;
}

test("a round lasts until it has calls enough for its time: 20 in 200 ms, 8 in 2 s, 3 in 8 s", () => {
  for (const [sentCount, durationMs] of [
    [20, 200],
    [19, 2000],
    [8, 2000],
    [7, 8000],
    [3, 8000],
  ] as const) {
    const rounds = roundsWith(sentCount);
    assert.equal(rounds.next(durationMs - 1, 0), undefined, `${sentCount} calls`);
    assert.equal(rounds.next(durationMs, 0)?.sentCount, sentCount);
    assert.equal(rounds.current.startMs, durationMs);
  }
  assert.equal(roundsWith(2).next(1_000_000, 0), undefined);
});

test("a round is held back until its rejections have come, and those count that come meanwhile", () => {
  const rounds = roundsWith(20);
  const { current } = rounds;
  assert.equal(rounds.next(200, 50), undefined);
  assert.notEqual(rounds.current, current);
  current.rejectedCount += 3;
  assert.equal(rounds.next(349, 50), undefined);
  assert.deepEqual([rounds.next(350, 50)?.rejectedCount, current.endMs], [3, 200]);
  assert.equal(rounds.next(350, 50), undefined, "it is judged once");
});

test("rounds are judged in the order of their calls", () => {
  const rounds = roundsWith(20);
  assert.equal(rounds.next(200, 100), undefined);
  rounds.current.sentCount = 30;
  assert.equal(rounds.next(400, 100), undefined);
  assert.equal(rounds.next(1000, 100)?.sentCount, 20);
  assert.equal(rounds.next(1000, 100)?.sentCount, 30);
});

test("another pace begins anew: what was not judged yet is forgotten", () => {
  const rounds = roundsWith(20);
  assert.equal(rounds.next(200, 1000), undefined);
  rounds.current.sentCount = 20;
  rounds.restart(300);
  assert.deepEqual([rounds.current.startMs, rounds.current.sentCount], [300, 0]);
  assert.equal(rounds.next(100_000, 0), undefined);
});
