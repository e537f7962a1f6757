import type { BadRow, RunFacts, RunRecord, StepFigures, StoredAnswer, WrittenRow } from "../contracts/journal.ts";

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
