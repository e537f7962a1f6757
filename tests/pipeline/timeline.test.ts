import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../src/contracts/events.ts";
import { Timeline } from "../../src/pipeline/timeline.ts";
import { callEnd } from "../support/run-events.ts";

const rowEnd = { type: "row-end", position: 1, pk: "1", errorCode: null, errorMessage: null, step: null } as const;
const gate = (durationMs: number): RunEvent => ({
  type: "gate-close",
  provider: "p",
  reason: "rate_limit",
  durationMs,
});

function timeline(startMs: number) {
  const clock = { ms: startMs };
  return { clock, line: new Timeline(() => clock.ms) };
}

test("rows and calls count in the ten seconds in which they end, 429s besides, and a call that never went in none", () => {
  const { clock, line } = timeline(1_000_003);
  line.add({ ...rowEnd, outcome: "written" });
  line.add({ ...rowEnd, outcome: "failed" });
  line.add(callEnd({ errorCode: "RATE_LIMITED" }));
  line.add(callEnd({ errorCode: "ABORTED", wasSent: false }));
  clock.ms += 10_000;
  line.add(callEnd({}));
  const slices = line.take();
  assert.deepEqual(
    slices.map(({ startedAt, calls, rateLimited }) => [startedAt.getTime(), calls, rateLimited]),
    [
      [1_000_000, 1, 1],
      [1_010_000, 1, 0],
    ],
  );
  assert.deepEqual(slices[0]?.rows, { written: 1, unchanged: 0, failed: 1, skipped: 0, pending: 0 });
  assert.deepEqual(line.take(), [], "nothing has changed since");
});

test("the time for which a gate was closed is parted among the slices, and counted once where closures overlap", () => {
  const { clock, line } = timeline(1_008_000);
  line.add(gate(15_000));
  clock.ms += 1000;
  line.add(gate(2000)); // ends before the other one
  clock.ms += 1000;
  assert.deepEqual(
    line.take().map(({ gateClosedMs }) => gateClosedMs),
    [2000],
  );
  clock.ms += 30_000;
  assert.deepEqual(
    line.take().map(({ startedAt, gateClosedMs }) => [startedAt.getTime(), gateClosedMs]),
    [
      [1_010_000, 10_000],
      [1_020_000, 3000],
    ],
  );
  line.add(gate(60_000));
  clock.ms += 500;
  assert.deepEqual(
    line.take().map(({ gateClosedMs }) => gateClosedMs),
    [500],
    "the run may end before the gate opens",
  );
});

test("a slice that goes on is taken whole again, and a clock that is set back begins none anew", () => {
  const { clock, line } = timeline(1_000_000);
  line.add(callEnd({}));
  assert.deepEqual(
    line.take().map(({ calls }) => calls),
    [1],
  );
  line.add(callEnd({}));
  assert.deepEqual(
    line.take().map(({ calls }) => calls),
    [2],
  );
  clock.ms += 100_000;
  line.add(callEnd({}));
  line.take();
  clock.ms -= 100_000;
  line.add(callEnd({}));
  assert.deepEqual(
    line.take().map(({ startedAt, calls }) => [startedAt.getTime(), calls]),
    [[1_100_000, 2]],
  );
});
