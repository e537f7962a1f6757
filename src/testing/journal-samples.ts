import type { BadRow, RunFacts, RunRecord, StoredAnswer, WrittenRow } from "../contracts/journal.ts";
import type { RunAttempt, RunRow, StepFigures, TimeSlice, ValueCounts } from "../contracts/run-detail.ts";

/** Two fingerprints, which are hashes, too. */
export const one: string = "1".repeat(64);
export const other: string = "e".repeat(64);

export function answerOf(text: string, runId = "run-1"): StoredAnswer {
  const usage = { inputTokens: 812, cachedTokens: 640, outputTokens: 61, reasoningTokens: 7 };
  return { text, finishReason: "stop", model: "gpt-4o", usage, runId };
}

export function writtenRow(pk: string, valuesHash: string = one): WrittenRow {
  return {
    pk,
    targetKey: pk,
    valuesHash,
    runId: "run-1",
    startedAt: new Date("2026-01-02T03:04:05.006Z"),
    completedAt: new Date("2026-01-02T03:04:06.007Z"),
    lineage: {
      kind: { model: "m", promptHash: "p", inputTokens: 1, cachedTokens: 2, outputTokens: 3, calls: 4 },
      upper: null,
    },
    fingerprints: [other, one],
  };
}

export function badRow(position: number, given: Partial<BadRow> = {}): BadRow {
  return {
    position,
    pk: `${position}`,
    ownsKey: true,
    step: "kind",
    retryCount: 3,
    runId: "run-1",
    errorCode: "REFUSAL",
    errorMessage: "the model declined",
    failedAt: new Date("2026-01-02T03:04:06.007Z"),
    ...given,
  };
}

export const stepFigures: StepFigures = {
  step: "kind",
  calls: 7,
  reusedAnswers: 6,
  reAsks: 5,
  retries: 4,
  rateLimited: 3,
  inputTokens: 812,
  cachedTokens: 640,
  outputTokens: 61,
  reasoningTokens: 7,
  cost: { amount: 0.25, currency: "USD" },
  spending: {
    byKind: {
      first: { calls: 1, inputTokens: 101, outputTokens: 11, cost: { amount: 0.03, currency: "USD" } },
      "re-ask": { calls: 5, inputTokens: 505, outputTokens: 40, cost: { amount: 0.15, currency: "USD" } },
      longer: { calls: 0, inputTokens: 0, outputTokens: 0, cost: { amount: 0, currency: "USD" } },
      retry: { calls: 1, inputTokens: 206, outputTokens: 10, cost: { amount: 0.07, currency: "USD" } },
    },
    badRows: { calls: 2, inputTokens: 303, outputTokens: 21, cost: { amount: 0.1, currency: "USD" } },
    reusedOfEarlierRuns: { calls: 6, inputTokens: 600, outputTokens: 60, cost: { amount: 0.18, currency: "USD" } },
    reusedOfThisRun: { calls: 0, inputTokens: 0, outputTokens: 0, cost: null },
  },
  latency: { p50Ms: 12, p95Ms: 340, maxMs: 5600 },
  promptHashes: ["0123456789abcdef"],
  models: ["gpt-4o-2024-11-20"],
};

export function runFacts(runId: string): RunFacts {
  return {
    runId,
    pipeline: "visits",
    kind: "run",
    sink: "memory",
    processId: 42,
    host: "here",
    version: "0.2.0",
    startedAt: new Date("2026-01-02T03:04:05.006Z"),
    options: { concurrency: 32, onRowError: "skip", fresh: false },
  };
}

export function runRecord(runId: string, given: Partial<RunRecord> = {}): RunRecord {
  const usage = { calls: 1, reAsks: 0, inputTokens: 2, cachedTokens: 0, outputTokens: 3 };
  return {
    ...runFacts(runId),
    endedAt: new Date("2026-01-02T03:05:00Z"),
    status: "completed",
    error: null,
    exitCode: 0,
    figures: {
      readCount: 3,
      successCount: 2,
      failureCount: 1,
      skippedCount: 0,
      unchangedCount: 1,
      pendingCount: 0,
      failuresByCode: { EMPTY_INPUT: 1 },
      usage: { ...usage, reusedAnswers: 4, savedInputTokens: 5, savedOutputTokens: 6 },
      cost: { amount: 0.25, currency: "USD" },
      savedCost: null,
      priceSource: "a list 1.0",
      unlistedModels: ["model-99"],
      durationMs: 1234,
    },
    steps: [stepFigures],
    ...given,
  };
}

/** A run that goes on, as it was saved last. */
export function runningRecord(runId: string): RunRecord {
  return runRecord(runId, { status: "running", endedAt: null, exitCode: null });
}

/** A row that is written in a run. */
export function runRow(position: number, given: Partial<RunRow> = {}): RunRow {
  return {
    position,
    pk: `${position}`,
    outcome: "written",
    step: null,
    errorCode: null,
    errorMessage: null,
    cost: 0.000_123_4,
    categories: { "kind.category": "Routine" },
    confidences: { "kind.confidence": 0.75 },
    ...given,
  };
}

export function runAttempt(given: Partial<RunAttempt> = {}): RunAttempt {
  return {
    pk: "1",
    step: "kind",
    kind: "re-ask",
    startedAt: new Date("2026-01-02T03:04:05.006Z"),
    waitMs: 7,
    latencyMs: 812,
    issueCodes: ["choice", "range"],
    errorCode: null,
    inputTokens: 812,
    cachedTokens: 640,
    outputTokens: 61,
    reasoningTokens: 5,
    cost: 0.000_123_4,
    ...given,
  };
}

/** The slice that begins so many times ten seconds after the run. */
export function timeSlice(number: number, given: Partial<TimeSlice> = {}): TimeSlice {
  return {
    startedAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 10 * number)),
    rows: { written: 1, unchanged: 2, failed: 3, skipped: 4, pending: 5 },
    calls: 6,
    rateLimited: 2,
    gateClosedMs: 1500,
    ...given,
  };
}

export function valueCounts(column: string, given: Partial<ValueCounts> = {}): ValueCounts {
  return {
    column,
    nulls: 1,
    trues: 2,
    falses: 3,
    categories: [
      { name: "Routine", count: 5 },
      { name: "Emergency", count: 4 },
    ],
    numbers: {
      minimum: -1.25,
      maximum: 0.5,
      bins: [
        { value: -1.3, count: 1 },
        { value: 0.5, count: 2 },
      ],
    },
    textLengths: { minimum: 3, maximum: 3, bins: [{ value: 3, count: 1 }] },
    listLengths: null,
    ...given,
  };
}
