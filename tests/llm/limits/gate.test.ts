import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Gate, longestWaitMs, shortestWaitMs } from "../../../src/llm/limits/gate.ts";
import { SentCalls } from "../../../src/llm/limits/sent-calls.ts";

/** A gate, and a call that is rejected after 10 ms: one counts as accepted after 15. */
function make() {
  const calls = new SentCalls();
  calls.reject(calls.add(1, 0), 10);
  const gate = new Gate(calls, () => 0.5);
  const probe = (nowMs: number) => {
    const call = calls.add(1, nowMs);
    gate.started(call);
    return call;
  };
  return { gate, calls, probe };
}

test("it closes for as long as the service asks, up to ten minutes", () => {
  const { gate } = make();
  assert.equal(gate.waitMs(0), 0);
  assert.equal(gate.close(700, 1000), 700);
  assert.deepEqual([gate.waitMs(1300), gate.waitMs(1700)], [400, 0]);
  assert.ok(gate.isClosed(1699) && !gate.isClosed(1700));
  assert.equal(gate.close(86_400_000, 2000), longestWaitMs);
});

test("waits that are not told, or too short to be true, grow by half with each, up to half a minute", () => {
  const { gate } = make();
  const waits = [undefined, 0, shortestWaitMs - 1, undefined].map((askedMs) => gate.close(askedMs, 0));
  assert.deepEqual(waits, [200, 300, 450, 675]);
  for (let count = 0; count < 20; count += 1) gate.close(undefined, 0);
  assert.equal(gate.close(undefined, 0), 30_000);
  assert.equal(gate.close(shortestWaitMs, 0), shortestWaitMs, "one that is told holds");
});

test("one call goes as a probe, and the others wait until it counts as accepted", () => {
  const { gate, probe } = make();
  gate.close(700, 0);
  const call = probe(700);
  assert.ok(gate.isProbe(call) && gate.isProbing);
  assert.equal(gate.waitMs(700), 15);
  assert.equal(gate.openIfAccepted(714), undefined);
  assert.equal(gate.openIfAccepted(715), 715, "the time for which it was closed");
  assert.ok(!gate.isProbing && !gate.isProbe(call));
  assert.equal(gate.waitMs(715), 0);
  assert.equal(gate.openIfAccepted(715), undefined, "it opens once");
});

test("an answer to the probe opens it at once", () => {
  const { gate, probe } = make();
  gate.close(700, 0);
  probe(700).isAnswered = true;
  assert.equal(gate.openIfAccepted(701), 701);
});

test("a probe that is rejected does not open it, and the time it is closed counts from the first wait", () => {
  const { gate, calls, probe } = make();
  gate.close(undefined, 1000);
  calls.reject(probe(1200), 1210);
  assert.equal(gate.openIfAccepted(9000), undefined);
  assert.equal(gate.close(undefined, 1210), 300);
  const second = probe(1510);
  second.isAnswered = true;
  assert.equal(gate.openIfAccepted(1600), 600);
  assert.equal(gate.close(undefined, 2000), 200, "the waits begin anew");
});

test("a pause has no probe after it", () => {
  const { gate, probe } = make();
  gate.pause(0);
  assert.equal(gate.waitMs(0), shortestWaitMs);
  assert.equal(gate.waitMs(shortestWaitMs), 0);
  assert.ok(!gate.isProbe(probe(shortestWaitMs)));
  assert.equal(gate.waitMs(shortestWaitMs), 0);
});

test("whatever the service says, the wait is a number of milliseconds up to ten minutes, and then a probe may go", () => {
  const askedMs = fc.option(fc.oneof(fc.double({ noNaN: true, min: 0, max: 1e12 }), fc.constant(0)), {
    nil: undefined,
  });
  fc.assert(
    fc.property(
      fc.array(askedMs, { minLength: 1, maxLength: 60 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (all, chance) => {
        const calls = new SentCalls();
        const gate = new Gate(calls, () => chance);
        let nowMs = 0;
        for (const asked of all) {
          const durationMs = gate.close(asked, nowMs);
          assert.ok(durationMs >= shortestWaitMs && durationMs <= longestWaitMs, `${durationMs}`);
          assert.equal(gate.waitMs(nowMs), nowMs + durationMs - nowMs);
          nowMs += durationMs;
          assert.equal(gate.waitMs(nowMs), 0);
          const call = calls.add(1, nowMs);
          gate.started(call);
          calls.reject(call, nowMs);
        }
      },
    ),
    { numRuns: 200, seed: 5 },
  );
});
