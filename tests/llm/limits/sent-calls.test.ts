import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SentCalls } from "../../../src/llm/limits/sent-calls.ts";

test("a call counts as accepted once it has been out 1.5 times as long as a rejection takes", () => {
  const calls = new SentCalls();
  calls.reject(calls.add(10, 0), 40);
  assert.equal(calls.rejectionMs, 40);
  const call = calls.add(30, 100);
  assert.equal(calls.acceptedAfterMs(call), 160);
  assert.deepEqual(calls.acceptedAt(159), { atMs: 159, count: 0, cost: 0 });
  assert.deepEqual(calls.acceptedAt(160), { atMs: 160, count: 1, cost: 30 });
});

test("an answer makes a call accepted at once, but not before those that went earlier are settled", () => {
  const calls = new SentCalls();
  calls.reject(calls.add(10, 0), 100);
  calls.add(10, 1000);
  const second = calls.add(10, 1050);
  second.isAnswered = true;
  assert.equal(calls.acceptedAt(1060).count, 0);
  assert.equal(calls.settledCount, 1);
  assert.equal(calls.acceptedAt(1150).count, 2);
  assert.equal(calls.settledCount, 3);
});

test("a rejection that comes late takes back what was taken for accepted", () => {
  const calls = new SentCalls();
  calls.reject(calls.add(10, 0), 10);
  const slow = calls.add(70, 100);
  assert.equal(calls.acceptedAt(200).cost, 70);
  calls.reject(slow, 300);
  assert.deepEqual(calls.acceptedAt(300), { atMs: 300, count: 0, cost: 0 });
  assert.equal(calls.rejectedCount, 2);
  assert.ok(calls.rejectionMs > 10 && calls.rejectionMs < 200, "the mean moves a part of the way");
});

test("calls that have ended are let go, although nobody asks what was accepted: a run may have millions", () => {
  const calls = new SentCalls();
  const [first, second, third] = [calls.add(10, 0), calls.add(10, 1), calls.add(10, 2)];
  first.isAnswered = third.isAnswered = true;
  calls.add(10, 3);
  assert.equal(calls.settledCount, 1, "the second is out, and may be rejected");
  second.isAnswered = true;
  calls.add(10, 4);
  assert.equal(calls.settledCount, 3);
  assert.deepEqual(calls.acceptedAt(4), { atMs: 4, count: 5, cost: 50 }, "before the first rejection none is expected");
});

test("once all calls have ended, the counts are those of the answers, however many and in whatever order", () => {
  const call = fc.record({ tokens: fc.integer({ min: 1, max: 5000 }), tookMs: fc.nat(3000), isAnswered: fc.boolean() });
  const repeated = fc.tuple(fc.array(call, { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 80 }));
  fc.assert(
    fc.property(repeated, ([pattern, times]) => {
      const calls = new SentCalls();
      const outcomes = Array.from({ length: times }, () => pattern).flat();
      const out = outcomes.map((outcome, index) => ({ ...outcome, sent: calls.add(outcome.tokens, 7 * index) }));
      const ends = out.toSorted((one, other) => one.sent.sentAtMs + one.tookMs - other.sent.sentAtMs - other.tookMs);
      for (const { sent, tookMs, isAnswered } of ends) {
        if (isAnswered) sent.isAnswered = true;
        else calls.reject(sent, sent.sentAtMs + tookMs);
      }
      const { count, cost } = calls.acceptedAt(7 * outcomes.length + 3000);
      const answered = outcomes.filter(({ isAnswered }) => isAnswered);
      assert.equal(count, answered.length);
      assert.equal(
        cost,
        answered.reduce((sum, one) => sum + one.tokens, 0),
      );
      assert.deepEqual([calls.sentCount, calls.settledCount], [outcomes.length, outcomes.length]);
      assert.equal(calls.rejectedCount, outcomes.length - count);
    }),
    { numRuns: 60, seed: 5 },
  );
});
