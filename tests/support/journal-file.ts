import { randomUUID } from "node:crypto";
import type { RunFigures } from "../../src/contracts/report.ts";
import type { JournalSession, PastRun, RunRecord } from "../../src/contracts/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";

/** Figures of a run, zero where nothing else is given. */
export function figures(given: Partial<RunFigures> = {}): RunFigures {
  return {
    readCount: 0,
    successCount: 0,
    failureCount: 0,
    skippedCount: 0,
    unchangedCount: 0,
    pendingCount: 0,
    failuresByCode: {},
    usage: {
      calls: 0,
      reAsks: 0,
      inputTokens: 0,
      cachedTokens: 0,
      outputTokens: 0,
      reusedAnswers: 0,
      savedInputTokens: 0,
      savedOutputTokens: 0,
    },
    cost: null,
    savedCost: null,
    durationMs: 0,
    ...given,
  };
}

/** A completed run, but for what is given. */
export function runRecord(given: Partial<RunRecord> = {}): RunRecord {
  return {
    runId: randomUUID(),
    pipeline: "visits",
    kind: "run",
    sink: "/data/target.db/visits",
    startedAt: new Date(2026, 0, 2, 3, 4, 5),
    endedAt: new Date(2026, 0, 2, 3, 5, 10),
    status: "completed",
    error: null,
    exitCode: 0,
    figures: figures(),
    processId: 4711,
    host: "worker-1",
    version: "0.2.0",
    options: {},
    steps: [],
    ...given,
  };
}

/** Opens the journal in a file for a run. */
export async function openJournal(
  path: string,
  options: { readonly busyTimeoutMs?: number } = {},
): Promise<JournalSession> {
  return await new SQLiteJournal({ path, ...options }).open(runRecord(), new AbortController().signal);
}

/** Makes a journal with these runs, the oldest first. */
export async function writeJournal(path: string, runs: readonly RunRecord[]): Promise<void> {
  const journal = await openJournal(path);
  for (const run of runs) await journal.runs.save(run);
  await journal.close();
}

/** The runs in a journal, the newest first. */
export async function readRuns(path: string): Promise<readonly PastRun[]> {
  const reader = await new SQLiteJournal({ path }).reader();
  return (await reader?.runs.list({ limit: 1000 }))?.items ?? [];
}
