import assert from "node:assert/strict";
import { test } from "node:test";
import { RunProgress } from "../../../src/cli/progress/run-progress.ts";
import type { RunEvent } from "../../../src/index.ts";
import { callEnd, callStart, rowEnd, rowFailure, rowStarts, runStart } from "../../support/run-events.ts";

/** Progress of a run that has begun, with a clock that stands still until it is moved. */
function begun(given: Parameters<typeof runStart>[0] = {}) {
  let nowMs = 5000;
  const progress = new RunProgress(() => nowMs);
  const add = (...events: readonly RunEvent[]): void => {
    for (const event of events) progress.add(event);
  };
  add(runStart(given));
  return {
    add,
    snapshot: () => progress.snapshot(),
    pass: (milliseconds: number): void => {
      nowMs += milliseconds;
    },
    /** Reads and writes `count` rows, one after the other. */
    addRows: (from: number, to: number): void => {
      for (let position = from; position <= to; position += 1) add(...rowStarts(position), rowEnd(position));
    },
  };
}

const gate = (given: object = {}): RunEvent => ({
  type: "gate-close",
  provider: "azure",
  reason: "rate_limit",
  durationMs: 12_000,
  ...given,
});

test("rows that have ended are done, however they ended; pending ones are not", () => {
  const { add, snapshot } = begun();
  add(...rowStarts(1, 2, 3, 4, 5, 6));
  add(rowEnd(1), rowEnd(2, { outcome: "unchanged" }), rowFailure(3, "REFUSAL"));
  add(rowFailure(4, "EMPTY_INPUT", { outcome: "skipped" }), rowEnd(5, { outcome: "pending" }));
  const { doneCount, totalCount, figures } = snapshot();
  assert.deepEqual([doneCount, totalCount, figures.readCount], [4, undefined, 6]);
  assert.deepEqual(figures.failuresByCode, { REFUSAL: 1, EMPTY_INPUT: 1 });
});

test("the rate is rows a second, and gives the time left if there is a total", () => {
  const { add, addRows, pass, snapshot } = begun();
  addRows(1, 20);
  pass(4000);
  assert.deepEqual([snapshot().rowsPerSecond, snapshot().remainingMs], [5, undefined]);
  add({ type: "source-count", rowCount: 120 });
  assert.deepEqual([snapshot().totalCount, snapshot().remainingMs], [120, 20_000]);
});

test("before the first row has ended nothing is projected", () => {
  const { add, pass, snapshot } = begun({ currency: "USD" });
  add({ type: "source-count", rowCount: 10 }, ...rowStarts(1), callEnd({ cost: 1 }));
  for (const milliseconds of [0, 3000]) {
    pass(milliseconds);
    const { rowsPerSecond, remainingMs, projectedCost } = snapshot();
    assert.deepEqual([rowsPerSecond, remainingMs, projectedCost], [0, undefined, undefined]);
  }
});

test("more rows than were counted leave nothing to do, not less than nothing", () => {
  const { add, addRows, pass, snapshot } = begun({ currency: "USD" });
  add({ type: "source-count", rowCount: 3 });
  addRows(1, 25);
  add(callEnd({ cost: 2 }));
  pass(1000);
  assert.deepEqual([snapshot().remainingMs, snapshot().projectedCost?.amount], [0, 2]);
});

test("the rate is that of the last half minute: a slow beginning is forgotten", () => {
  const { addRows, pass, snapshot } = begun();
  for (let second = 1; second <= 60; second += 1) {
    pass(1000);
    if (second > 20) addRows(second * 10, second * 10 + 9);
    snapshot();
  }
  assert.equal(snapshot().rowsPerSecond, 10);
  pass(31_000);
  snapshot();
  assert.ok(snapshot().rowsPerSecond < 1);
});

test("a slow server's rate is that of 20 rows, and there is no time left before them: it does not swing from row to row", () => {
  const { add, addRows, pass, snapshot } = begun();
  add({ type: "source-count", rowCount: 1000 });
  const left: (number | undefined)[] = [];
  for (let row = 1; row <= 60; row += 1) {
    pass(row % 2 === 0 ? 1000 : 19_000); // two slots, whose answers come close together
    addRows(row, row);
    left.push(snapshot().remainingMs);
  }
  assert.ok(left.slice(0, 19).every((milliseconds) => milliseconds === undefined));
  const late = left.slice(19).map((milliseconds = Number.NaN, index) => milliseconds / (1000 - 20 - index));
  assert.ok(Math.min(...late) > 9000 && Math.max(...late) < 11_500, `${Math.min(...late)} to ${Math.max(...late)}`);
});

test("the cost of the whole run is what was spent, and the same again for each row that is not paid for", () => {
  const { add, pass, snapshot } = begun({ currency: "EUR" });
  add({ type: "source-count", rowCount: 100 });
  for (let position = 1; position <= 10; position += 1)
    add(...rowStarts(position), callStart, callEnd({ pk: `r${position}`, cost: 0.5 }), rowEnd(position));
  pass(1000);
  const { figures, projectedCost } = snapshot();
  assert.deepEqual([figures.cost?.amount, projectedCost], [5, { amount: 50, low: 50, high: 50, currency: "EUR" }]);
  assert.equal(begun().snapshot().projectedCost, undefined);
});

test("what rows on their way have cost so far is the least that the run costs", () => {
  const { add, pass, snapshot } = begun({ currency: "USD" });
  add({ type: "source-count", rowCount: 6 });
  for (let position = 1; position <= 5; position += 1)
    add(...rowStarts(position), callEnd({ pk: `r${position}`, cost: 1 }), rowEnd(position));
  add(...rowStarts(6), callEnd({ pk: "r6", cost: 12 }));
  pass(1000);
  const { projectedCost } = snapshot();
  assert.deepEqual([projectedCost?.amount, projectedCost?.low], [17, 17]);
});

test("the time left of a resumed run goes by the rows that are asked about, and by the run before until there are any", () => {
  const { add, addRows, pass, snapshot } = begun({ currency: "USD" });
  const earlier = { doneRows: 400, costPerRow: 0.5, rowMs: 2000 };
  add({ type: "source-count", rowCount: 1000, earlier });
  for (let position = 1; position <= 400; position += 1)
    add(...rowStarts(position), rowEnd(position, { outcome: "unchanged", wasWritten: true }));
  pass(1000);
  assert.equal(snapshot().remainingMs, 600 * 2000);
  assert.equal(snapshot().projectedCost?.amount, 300);
  snapshot();
  for (let position = 401; position <= 450; position += 1) {
    pass(4000);
    add(callEnd({ pk: `r${position}`, cost: 1 }));
    addRows(position, position);
    snapshot();
  }
  assert.equal(Math.round((snapshot().remainingMs ?? 0) / 550 / 100), 40);
  assert.equal(snapshot().projectedCost?.amount, 600);
});

test("calls in flight are those that began and did not end, and may be as many as rows until a provider's limit is known", () => {
  const { add, snapshot } = begun({ concurrency: 8 });
  add(callStart, callStart, callStart, callEnd({ errorCode: "TIMEOUT" }));
  assert.deepEqual([snapshot().callsInFlight, snapshot().callLimit], [2, 8]);
  add({ type: "concurrency-change", provider: "one", limit: 4 });
  assert.equal(snapshot().callLimit, 4);
  add({ type: "concurrency-change", provider: "other", limit: 3 });
  assert.equal(snapshot().callLimit, 7);
  add({ type: "concurrency-change", provider: "one", limit: 8 });
  assert.equal(snapshot().callLimit, 8, "a row is at one provider at a time");
});

test("a run waits for a closed gate, in whole seconds, until it opens; a longer wait replaces the one before", (t) => {
  const { add, pass, snapshot } = begun();
  assert.equal(snapshot().waitsFor, undefined);
  const reasons: string[] = [];
  const waits = (provider: string, seconds: string): void => {
    const { waitsFor = "" } = snapshot();
    assert.ok(waitsFor.includes(provider) && waitsFor.includes(seconds), waitsFor);
    reasons.push(waitsFor);
  };
  add(gate());
  waits("azure", "12 s");
  pass(1500);
  waits("azure", "11 s");
  add(gate({ reason: "outage", durationMs: 30_000 }));
  waits("azure", "30 s");
  add(gate({ provider: "mock", reason: "quota", durationMs: 60_000 }));
  pass(30_000);
  waits("mock", "30 s");
  add(gate({ provider: "mock", reason: "capacity", durationMs: 20_000 }));
  waits("mock", "20 s");
  add(gate({ provider: "mock", reason: "quota", durationMs: 30_000 }));
  t.assert.snapshot(reasons, { serializers: [(lines) => lines.join("\n")] });
  add(...rowStarts(1));
  pass(30_000);
  assert.equal(snapshot().waitsFor, undefined);
});

test("a run waits for a batch that takes long; a short one is not shown", (t) => {
  const { add, pass, snapshot } = begun();
  add(...rowStarts(1), { type: "batch-start", sink: "memory", rowCount: 500 });
  pass(2000);
  assert.equal(snapshot().waitsFor, undefined);
  pass(1);
  t.assert.snapshot(snapshot().waitsFor);
  const batch = { sink: "memory", rowCount: 500, targetRowCount: 500 };
  add({ type: "batch-end", ...batch, durationMs: 2001, outcome: "written" });
  assert.equal(snapshot().waitsFor, undefined);
});

test("a run waits for a source that gives no row for long, as long as no row is in flight", (t) => {
  const { add, pass, snapshot } = begun();
  pass(2001);
  t.assert.snapshot(snapshot().waitsFor);
  add(...rowStarts(1));
  pass(60_000);
  assert.equal(snapshot().waitsFor, undefined);
  add(rowEnd(1));
  assert.equal(snapshot().waitsFor, undefined);
  pass(2001);
  t.assert.snapshot(snapshot().waitsFor);
});
