import assert from "node:assert/strict";
import { test } from "node:test";
import type { RowOutcome } from "../../src/contracts/events.ts";
import { PrimaryKeyError } from "../../src/errors/source.ts";
import { RunError } from "../../src/errors/llm-etl-error.ts";
import { Tally } from "../../src/pipeline/tally.ts";
import { callEnd } from "../support/run-events.ts";

function tallyOf(outcomes: readonly RowOutcome[], readCount = outcomes.length): Tally {
  const tally = new Tally(null);
  for (let position = 1; position <= readCount; position += 1) tally.add({ type: "row-start", position });
  for (const [index, outcome] of outcomes.entries()) {
    const errorCode = outcome === "failed" || outcome === "skipped" ? "EMPTY_INPUT" : null;
    tally.add({
      type: "row-end",
      position: index + 1,
      pk: `r${index}`,
      outcome,
      errorCode,
      errorMessage: errorCode,
      step: null,
    });
  }
  return tally;
}

const end = { runId: "run", error: null, durationMs: 5 };

test("rows are counted by how they ended; unchanged ones are part of the successes", () => {
  const report = tallyOf(["written", "unchanged", "failed", "skipped", "pending"]).report(end);
  assert.deepEqual(
    [
      report.readCount,
      report.successCount,
      report.unchangedCount,
      report.failureCount,
      report.skippedCount,
      report.pendingCount,
    ],
    [5, 2, 1, 1, 1, 1],
  );
  assert.deepEqual(report.failuresByCode, { EMPTY_INPUT: 2 });
});

test("rows that hold nothing are counted apart, and the counts of the others add up without them", () => {
  const tally = tallyOf(["written", "failed"]);
  assert.equal(tally.report(end).emptyRowCount, undefined);
  for (const rowCount of [1, 4]) tally.add({ type: "empty-rows", rowCount });
  const { readCount, emptyRowCount, error, exitCode } = tally.report(end);
  assert.deepEqual([readCount, emptyRowCount, error, exitCode], [2, 5, null, 1]);
});

test("calls whose tokens are estimated are counted, where there are any", () => {
  const tally = new Tally(null);
  assert.equal(tally.report(end).usage.estimatedCalls, undefined);
  for (const isEstimated of [true, false, true]) tally.add(callEnd({ isEstimated }));
  assert.deepEqual([tally.report(end).usage.calls, tally.report(end).usage.estimatedCalls], [3, 2]);
});

test("with list prices there is no cost before the first price is known, and what has none is counted apart", () => {
  const prices = { inputPerMillion: 2, cachedInputPerMillion: 1, outputPerMillion: 8, currency: "USD" };
  const tally = new Tally(null);
  const figuresOf = () => {
    const { cost, savedCost, priceSource, unlistedModels, usage } = tally.figures(0);
    return [cost?.amount, savedCost?.amount, priceSource, unlistedModels, usage.unpricedCalls];
  };
  const listed = { type: "list-price", provider: "azure-openai", source: "list 1" } as const;
  tally.add(callEnd({ cost: null, inputTokens: 0, outputTokens: 0, errorCode: "RATE_LIMITED" }));
  assert.deepEqual(figuresOf(), [undefined, undefined, undefined, undefined, undefined]);
  tally.add({ ...listed, model: "gpt-99", prices: null });
  tally.add(callEnd({ cost: null }));
  assert.deepEqual(figuresOf(), [undefined, undefined, undefined, ["gpt-99"], 1]);
  tally.add({ ...listed, model: "gpt-4o", prices });
  assert.deepEqual(figuresOf(), [undefined, 0, "list 1", ["gpt-99"], 1], "the cost of the one call is not 0");
  tally.add(callEnd({ cost: 0.25 }));
  assert.deepEqual(figuresOf(), [0.25, 0, "list 1", ["gpt-99"], 1]);
  assert.equal(tally.figures(0).cost?.currency, "USD");
});

test("tokens and calls are summed over every attempt", () => {
  const tally = new Tally("EUR");
  const call = {
    type: "call-end",
    step: "s",
    pk: "a",
    model: "m",
    promptHash: "p",
    reasoningTokens: 0,
    retryCount: 0,
    latencyMs: 1,
    isEstimated: false,
    cost: 0.25,
    errorCode: null,
  } as const;
  tally.add({ ...call, inputTokens: 100, cachedTokens: 40, outputTokens: 10 });
  tally.add({ ...call, inputTokens: 120, cachedTokens: 100, outputTokens: 12, errorCode: "TIMEOUT" });
  tally.add({ type: "re-ask", step: "s", pk: "a", issueCount: 3 });
  const reused = {
    type: "answer-reuse",
    step: "s",
    pk: "b",
    model: "m",
    promptHash: "p",
    reasoningTokens: 0,
    cost: 0.125,
  } as const;
  tally.add({ ...reused, inputTokens: 50, cachedTokens: 40, outputTokens: 5 });
  assert.deepEqual(tally.report(end).savedCost, { amount: 0.125, currency: "EUR" });
  assert.deepEqual(tally.report(end).cost, { amount: 0.5, currency: "EUR" });
  assert.deepEqual(tally.report(end).usage, {
    calls: 2,
    reAsks: 1,
    inputTokens: 220,
    cachedTokens: 140,
    outputTokens: 22,
    reusedAnswers: 1,
    savedInputTokens: 50,
    savedOutputTokens: 5,
    unansweredCalls: 1,
    timedOutCalls: 1,
  });
});

test("exit codes: 0 fine, 1 rows failed, 2 refused before the first row, 3 stopped", () => {
  const runError = new RunError("FORBIDDEN", "403");
  const rowError = new PrimaryKeyError("PRIMARY_KEY_MISSING", "row 1");
  assert.equal(tallyOf(["written"]).report(end).exitCode, 0);
  assert.equal(tallyOf([]).report(end).exitCode, 0);
  assert.equal(tallyOf(["written", "failed"]).report(end).exitCode, 1);
  assert.equal(tallyOf(["written", "skipped"]).report(end).exitCode, 1);
  assert.equal(tallyOf(["failed"]).report({ ...end, error: rowError }).exitCode, 1);
  assert.equal(tallyOf([]).report({ ...end, error: runError }).exitCode, 2);
  assert.equal(tallyOf(["pending"]).report({ ...end, error: runError }).exitCode, 3);
  assert.equal(tallyOf([]).report({ ...end, error: new RunError("ABORTED", "stopped") }).exitCode, 3);
});

test("a run whose rows don't add up has failed, whatever it seemed to be", () => {
  for (const tally of [tallyOf(["written"], 2), tallyOf(["written", "written"], 1)]) {
    const report = tally.report(end);
    assert.equal(report.status, "failed");
    assert.equal(report.error?.code, "COUNTS_DO_NOT_ADD_UP");
    assert.notEqual(report.exitCode, 0);
  }
});

test("the status says whether the run completed, failed or was aborted", () => {
  assert.equal(tallyOf(["written"]).report(end).status, "completed");
  assert.equal(tallyOf(["written"]).report({ ...end, error: new RunError("ABORTED", "stopped") }).status, "aborted");
  assert.equal(tallyOf(["written"]).report({ ...end, error: new RunError("SINK_FAILED", "gone") }).status, "failed");
});
